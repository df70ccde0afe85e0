// Heat maps of one array at a time: weights and conductances at the start and the end, their change, pulses, saturation.
// A device is chosen with a click, with the arrow keys on a map, or by its row and column.
const NO_LEVEL = 65535, NO_POSITION = 255;
const SCALES = {
  // From the middle outwards for signed values, upwards for counts; named by the colours of the page.
  signed: ["m0", "m1", "m2", "m3", "m4"],
  count: ["n0", "n1", "n2", "n3", "n4"],
};

function rgb(text) {
  const value = parseInt(text.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function gradient(kind) {
  const stops = SCALES[kind].map((name) => rgb(colour(name)));
  const table = [];
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
    table.push(stops[low].map((value, channel) => value + (stops[low + 1][channel] - value) * (place - low)));
  }
  return table;
}

async function startMaps() {
  const data = block("devices");
  if (!data || !data.arrays.length) return;
  const root = document.getElementById("devices");
  const pick = root.querySelector("select");
  const [rowInput, colInput] = root.querySelectorAll("input[type=number]");
  const said = root.querySelector(".read");
  const histories = await startHistories(data);
  const state = { array: null, row: 0, col: 0, map: "end" };
  let grids = null;

  const toSiemens = (w) => data.conductance[0] + data.conductance[1] * w;
  const MAPS = {
    start: { title: "Conductance at the start", kind: "signed", value: (i) => grids.start[i], weight: true },
    end: { title: "Conductance at the end", kind: "signed", value: (i) => grids.end[i], weight: true },
    change: { title: "Change", kind: "signed", value: (i) => grids.end[i] - grids.start[i], change: true },
    pulses: { title: "Pulses received", kind: "count", value: (i) => grids.up[i] + grids.down[i] },
    net: { title: "Up less down pulses", kind: "signed", value: (i) => grids.up[i] - grids.down[i] },
    position: { title: "Saturation: place between its bounds", kind: "signed", percent: true,
      value: (i) => (grids.position[i] === NO_POSITION ? NaN : (grids.position[i] / 254) * 100) },
  };
  const drawn = {};

  function weights(array, unpacked) {
    // Large pages hold levels in place of weights.
    if (array.scale) for (const name of ["start", "end"])
      unpacked[name] = Float64Array.from(unpacked[name], (level) => level === NO_LEVEL ? NaN
        : Math.round(array.scale[0] / array.scale[1] + level) * array.scale[1]);
    return unpacked;
  }

  function there(i) {
    return !Number.isNaN(grids.end[i]);
  }

  function range(map) {
    if (map.percent) return [0, 100];
    let most = 0, least = 0;
    const n = state.array.shape[0] * state.array.shape[1];
    const sample = [];
    for (let i = 0; i < n; i++) {
      if (!there(i)) continue;
      const value = map.value(i);
      sample.push(map.kind === "signed" ? Math.abs(value) : value);
      most = Math.max(most, sample[sample.length - 1]);
    }
    // A few devices far outside must not make all others look equal; those beyond have the last colour.
    sample.sort((a, b) => a - b);
    const bulk = sample.length ? sample[Math.min(Math.floor(sample.length * 0.995), sample.length - 1)] : 0;
    const high = (bulk > 0 ? bulk : most) || 1e-9;
    return map.kind === "signed" ? [-high, high, most > high] : [map.weight ? 0 : least, high, most > high];
  }

  // Devices that hold no weight below 0, such as those of a pair, have no conductance on its other side.
  function weightKind() {
    const some = (test) => grids.start.some(test) || grids.end.some(test);
    return some((w) => w > 0) && !some((w) => w < 0) ? "count" : "signed";
  }

  function valueText(map, value) {
    if (Number.isNaN(value)) return "none";
    if (map.percent) return value.toFixed(0) + " %";
    if (map.weight) return data.conductance ? quantity(toSiemens(value), "S") : String(Number(value.toPrecision(3)));
    if (map.change) return (value > 0 ? "+" : value < 0 ? "-" : "") +
      (data.conductance ? quantity(Math.abs(value * data.conductance[1]), "S") : Math.abs(value).toPrecision(3));
    return grouped(value);
  }

  function paint(map, name) {
    // One point a device; the canvas scales it without smoothing.
    const [rows, cols] = state.array.shape;
    const image = new ImageData(cols, rows);
    const [low, high] = drawn[name].range;
    const table = gradient(map.kind);
    for (let i = 0; i < rows * cols; i++) {
      if (!there(i)) continue;
      const value = map.value(i);
      const place = Number.isNaN(value) ? 128 : Math.round((255 * (value - low)) / (high - low));
      const [red, green, blue] = table[Math.min(Math.max(place, 0), 255)];
      image.data.set([red, green, blue, 255], i * 4);
    }
    const points = element("canvas");
    [points.width, points.height] = [cols, rows];
    points.getContext("2d").putImageData(image, 0, 0);
    drawn[name].points = points;
  }

  function size(figure) {
    const [rows, cols] = state.array.shape;
    const width = figure.clientWidth;
    const cell = width / cols;
    const tall = Math.min(Math.max(cell, Math.min(14, 70 / rows)), 340 / rows);
    const wide = Math.min(cell, Math.max(tall * 3, 340 / cols));
    return [Math.round(wide * cols), Math.round(tall * rows)];
  }

  function drawMap(name) {
    const figure = root.querySelector(`figure[data-map=${name}]`);
    const canvas = figure.querySelector("canvas");
    const [rows, cols] = state.array.shape;
    const [width, height] = size(figure);
    const context = sharpen(canvas, width, height);
    context.imageSmoothingEnabled = cols > canvas.width || rows > canvas.height;
    context.drawImage(drawn[name].points, 0, 0, width, height);
    context.strokeStyle = colour("line");
    context.strokeRect(0.5, 0.5, width - 1, height - 1);
    context.setLineDash([3, 3]);
    context.strokeStyle = colour("s1");
    for (const [top, left, bottom, right] of histories.regions(state.array))
      context.strokeRect((left * width) / cols + 0.5, (top * height) / rows + 0.5,
        ((right + 1 - left) * width) / cols - 1, ((bottom + 1 - top) * height) / rows - 1);
    context.setLineDash([]);
    const [x, y] = [((state.col + 0.5) * width) / cols, ((state.row + 0.5) * height) / rows];
    const reach = [Math.max(width / cols, 9) / 2 + 1, Math.max(height / rows, 9) / 2 + 1];
    for (const [pen, thick] of [["paper", 4], ["ink", 2]]) {
      context.strokeStyle = colour(pen);
      context.lineWidth = thick;
      context.strokeRect(x - reach[0], y - reach[1], 2 * reach[0], 2 * reach[1]);
    }
    context.lineWidth = 1;
  }

  function drawLegend(name) {
    const map = MAPS[name];
    const figure = root.querySelector(`figure[data-map=${name}]`);
    const [low, high, beyond] = drawn[name].range;
    const stops = SCALES[map.kind].map((stop) => colour(stop)).join(",");
    figure.querySelector(".bar").style.background = `linear-gradient(to right, ${stops})`;
    const ends = figure.querySelectorAll(".ends span");
    const text = (value) => valueText(map, value);
    ends[0].textContent = (beyond && map.kind === "signed" ? "≤ " : "") + text(low);
    ends[1].textContent = map.kind === "signed" ? text((low + high) / 2) : "";
    ends[2].textContent = (beyond ? "≥ " : "") + text(high);
  }

  function drawNear() {
    const canvas = root.querySelector(".near canvas");
    const map = MAPS[state.map];
    root.querySelector(".near figcaption").textContent = `Around the device: ${map.title.toLowerCase()}`;
    const [rows, cols] = state.array.shape;
    const width = Math.max(Math.min(canvas.parentElement.clientWidth, 400), 200), gap = 30, cell = (width - gap) / 17;
    const [nRows, nCols] = [Math.min(rows, 11), Math.min(cols, 17)];
    const top = Math.min(Math.max(state.row - (nRows >> 1), 0), rows - nRows);
    const left = Math.min(Math.max(state.col - (nCols >> 1), 0), cols - nCols);
    const context = sharpen(canvas, width, nRows * cell + 18);
    context.font = "10px system-ui, sans-serif";
    context.imageSmoothingEnabled = false;
    context.drawImage(drawn[state.map].points, left, top, nCols, nRows, gap, 0, nCols * cell, nRows * cell);
    context.fillStyle = colour("soft");
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let i = 0; i < nRows; i++) context.fillText(top + i, gap - 5, (i + 0.5) * cell);
    context.textAlign = "center";
    for (let i = 0; i < nCols; i += 2) context.fillText(left + i, gap + (i + 0.5) * cell, nRows * cell + 9);
    context.strokeStyle = colour("ink");
    context.lineWidth = 2;
    context.strokeRect(gap + (state.col - left) * cell, (state.row - top) * cell, cell, cell);
    drawn.near = { top, left, cell, gap, nRows, nCols };
  }

  function draw(repaint) {
    if (!grids) return;
    for (const name of Object.keys(MAPS)) {
      if (repaint) paint(MAPS[name], name);
      drawMap(name);
      drawLegend(name);
    }
    drawNear();
    histories.draw();
  }

  function mostChanged() {
    let best = 0;
    for (let i = 0; i < grids.end.length; i++)
      if (there(i) && !(Math.abs(MAPS.change.value(i)) <= Math.abs(MAPS.change.value(best)))) best = i;
    return { row: Math.floor(best / state.array.shape[1]), col: best % state.array.shape[1] };
  }

  function facts() {
    const i = state.row * state.array.shape[1] + state.col;
    if (!there(i)) return null;
    const array = state.array;
    const start = grids.start[i], end = grids.end[i];
    return {
      array, row: state.row, col: state.col, start, end, up: grids.up[i], down: grids.down[i],
      position: MAPS.position.value(i),
      bounds: grids.low ? [grids.low[i], grids.high[i]] : null,
      layer: array.layers.find(({ rows, cols }) => state.row >= rows[0] && state.row <= rows[1] && state.col >= cols[0] && state.col <= cols[1]),
    };
  }

  function choose(row, col, map) {
    const [rows, cols] = state.array.shape;
    state.row = Math.min(Math.max(row, 0), rows - 1);
    state.col = Math.min(Math.max(col, 0), cols - 1);
    state.map = map || state.map;
    [rowInput.value, colInput.value] = [state.row, state.col];
    const device = facts();
    said.textContent = device
      ? `row ${state.row}, column ${state.col}: start ${valueText(MAPS.start, device.start)}, end ${valueText(MAPS.end, device.end)}, ${grouped(device.up)} up and ${grouped(device.down)} down pulses`
      : `row ${state.row}, column ${state.col}: no device`;
    for (const name of Object.keys(MAPS)) {
      drawMap(name);
      root.querySelector(`figure[data-map=${name}] .here`).textContent = device
        ? valueText(MAPS[name], MAPS[name].value(state.row * cols + state.col)) : "";
    }
    drawNear();
    histories.show(device);
  }

  async function open(index) {
    const array = data.arrays[index];
    array.unpacked = array.unpacked || weights(array, await unpackAll(array.grids));
    grids = array.unpacked;
    state.array = array;
    const [rows, cols] = array.shape;
    [rowInput.max, colInput.max] = [rows - 1, cols - 1];
    MAPS.start.kind = MAPS.end.kind = weightKind();
    for (const [name, map] of Object.entries(MAPS)) {
      drawn[name] = { range: range(map) };
      // Start and end are looked at side by side, so they share their scale.
      if (name === "end") {
        const [narrow, wide] = [drawn.start, drawn.end].sort((a, b) => a.range[1] - b.range[1]);
        narrow.range = wide.range;
      }
      root.querySelector(`figure[data-map=${name}] canvas`).setAttribute("aria-label",
        `${map.title}, ${pick.options[index].textContent}, ${rows} rows and ${cols} columns; arrow keys choose a device`);
    }
    root.querySelector(".array-facts").textContent = [
      `${grouped(array.n)} devices`, `${grouped(array.pulses)} pulses`, `${grouped(array.unpulsed)} without a pulse`,
      `saturated: ${grouped(array.at_low)} at the lower and ${grouped(array.at_high)} at the upper bound ` +
        `(${((100 * (array.at_low + array.at_high)) / array.n).toFixed(2)} %)`,
    ].join(" · ");
    for (const name of Object.keys(MAPS)) paint(MAPS[name], name);
    const { row, col } = histories.mostPulsed(array) || mostChanged();
    choose(row, col);
    draw(false);
  }

  for (const [name, map] of Object.entries(MAPS)) {
    const figure = element("figure", { "data-map": name },
      element("figcaption", {}, map.title + " ", element("b", { class: "here" })),
      element("canvas", { tabindex: "0", role: "application", "aria-roledescription": "heat map" }),
      element("div", { class: "bar" }),
      element("div", { class: "ends" }, element("span"), element("span"), element("span")));
    root.querySelector(".maps").append(figure);
    const canvas = figure.querySelector("canvas");
    canvas.addEventListener("click", (event) => {
      const [rows, cols] = state.array.shape;
      choose(Math.floor((event.offsetY / canvas.clientHeight) * rows), Math.floor((event.offsetX / canvas.clientWidth) * cols), name);
    });
    canvas.addEventListener("keydown", (event) => {
      const far = event.shiftKey ? 10 : 1;
      const moves = { ArrowUp: [-far, 0], ArrowDown: [far, 0], ArrowLeft: [0, -far], ArrowRight: [0, far], PageUp: [-10, 0],
        PageDown: [10, 0], Home: [0, -1e9], End: [0, 1e9] };
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in moves)) return;
      event.preventDefault();
      choose(state.row + moves[event.key][0], state.col + moves[event.key][1], name);
    });
  }
  root.querySelector(".near canvas").addEventListener("click", (event) => {
    const { top, left, cell, gap, nRows, nCols } = drawn.near;
    const [row, col] = [Math.floor(event.offsetY / cell), Math.floor((event.offsetX - gap) / cell)];
    if (row >= 0 && row < nRows && col >= 0 && col < nCols) choose(top + row, left + col);
  });
  data.arrays.forEach((array, index) => {
    const layers = array.layers.map(({ name }) => name).join(", ");
    const cells = data.arrays.some((other) => other.device > 0) ? `, device ${array.device} of its cell` : "";
    pick.append(element("option", { value: index }, `tile ${array.tile}, array ${array.array}${cells} (${layers}, ${array.shape.join(" × ")})`));
  });
  pick.addEventListener("change", () => open(Number(pick.value)));
  for (const input of [rowInput, colInput])
    input.addEventListener("change", () => choose(Number(rowInput.value), Number(colInput.value)));
  redraws.push(() => draw(true));
  whenResized(root, () => draw(false));
  const probed = data.arrays.findIndex((array) => histories.regions(array).length);
  const first = Math.max(probed, 0);
  pick.value = first;
  await open(first);
  root.dataset.ready = "yes";
}

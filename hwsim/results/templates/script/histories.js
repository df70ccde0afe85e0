// The life of the chosen device: what is known of every device, and the pulses of those that were probed.
async function startHistories(devices) {
  const data = block("pulses");
  const root = document.getElementById("device");
  const said = root.querySelector(".read");
  const columns = data ? await unpackAll(data.columns) : null;
  const places = new Map();
  if (data) {
    let first = 0;
    data.devices.forEach(([tile, array, device, row, col, n], index) => {
      places.set([tile, array, device, row, col].join(), { first, n, total: data.totals[index], every: data.every[index] });
      first += n;
    });
  }
  const WIDTH = 640, HEIGHT = 300, LEFT = 66, RIGHT = 66, TOP = 14, BOTTOM = 40, MARKS = 600, ROWS = 400;
  let chosen = null, view = null;

  // A run without simulated time logs no pulses: it has start and end.
  const timed = devices.latency > 0;
  const toSiemens = (w) => devices.conductance[0] + devices.conductance[1] * w;
  const weight = (w) => Number(w.toPrecision(5)) + (devices.conductance ? ` (${quantity(toSiemens(w), "S", 5)})` : "");
  const change = (w) => (w > 0 ? "+" : "") + Number(w.toPrecision(4)) +
    (devices.conductance ? ` (${w > 0 ? "+" : w < 0 ? "-" : ""}${quantity(Math.abs(w * devices.conductance[1]), "S")})` : "");

  function regions(array) {
    // The rectangle around the probed devices of an array; a run probes one region a tile.
    let box = null;
    if (data) for (const [tile, number, device, row, col] of data.devices) {
      if (tile !== array.tile || number !== array.array || device !== array.device) continue;
      box = box || [row, col, row, col];
      box = [Math.min(box[0], row), Math.min(box[1], col), Math.max(box[2], row), Math.max(box[3], col)];
    }
    return box ? [box] : [];
  }

  function mostPulsed(array) {
    // Of the probed devices of an array, row and column of the one with the most pulses.
    let best = null;
    if (data) data.devices.forEach(([tile, number, device, row, col], index) => {
      if (tile === array.tile && number === array.array && device === array.device &&
        (!best || data.totals[index] > best.total)) best = { row, col, total: data.totals[index] };
    });
    return best;
  }

  function pulsesOf(device) {
    const { tile, array, device: number } = device.array;
    const found = places.get([tile, array, number, device.row, device.col].join());
    if (found) return { ...found, logged: true };
    const [box] = regions(device.array);
    const inside = box && device.row >= box[0] && device.row <= box[2] && device.col >= box[1] && device.col <= box[3];
    return { first: 0, n: 0, total: 0, logged: Boolean(inside) };
  }

  function show(device) {
    chosen = device;
    const heading = root.querySelector("h3"), table = root.querySelector("dl"), note = root.querySelector(".note");
    table.replaceChildren();
    root.querySelector(".pulses").replaceChildren();
    if (!device) {
      heading.textContent = "No device here";
      note.textContent = "No cell of this array holds a weight here.";
      root.querySelector("svg").replaceChildren();
      return;
    }
    const { tile, array, device: number } = device.array;
    const cells = number ? `, device ${number}` : "";
    heading.textContent = `Tile ${tile}, array ${array}, row ${device.row}, column ${device.col}${cells}`;
    const rows = [["layer", device.layer ? device.layer.name : "-"], ["weight at the start", weight(device.start)],
      ["weight at the end", weight(device.end)], ["change", change(device.end - device.start)],
      ["up pulses", grouped(device.up)], ["down pulses", grouped(device.down)]];
    if (device.bounds) rows.push(["bounds", device.bounds.map((w) => Number(w.toPrecision(4))).join(" to ")]);
    rows.push(["place between them", Number.isNaN(device.position) ? "-" : device.position.toFixed(0) + " %"]);
    for (const [name, value] of rows) table.append(element("div", {}, element("dt", {}, name), element("dd", {}, value)));
    const pulses = pulsesOf(device);
    const where = `${tile}:${device.row}:${device.col}`;
    if (!pulses.logged)
      note.replaceChildren("The pulses of this device were not logged; the line joins start and end. The same run with ",
        element("code", {}, `--log pulses --probe ${where}`), ` logs them${timed ? "" : ", if timing is on"}: the same seed gives the same pulses.`);
    else if (!pulses.total) note.textContent = "This device was probed and received no pulse.";
    else note.textContent = pulses.n < pulses.total
      ? `${grouped(pulses.n)} of its ${grouped(pulses.total)} pulses are in this page, every ${pulses.every}th; all of them: hwsim device RUN ${tile} ${device.row} ${device.col}`
      : `All of its ${grouped(pulses.total)} logged pulses.`;
    drawHistory();
    if (pulses.n) listPulses(pulses);
  }

  function listPulses({ first, n }) {
    const body = element("tbody");
    for (let i = first; i < first + Math.min(n, ROWS); i++) {
      const polarity = columns.polarity[i] > 0 ? "▲ up" : columns.polarity[i] < 0 ? "▼ down" : "reset";
      const cells = [seconds(columns.t_ps[i], 8), columns.step[i] < 0 ? "-" : grouped(columns.step[i]),
        columns.sample[i] < 0 ? "-" : grouped(columns.sample[i]), polarity, columns.dw[i].toPrecision(3), weight(columns.w[i])];
      body.append(element("tr", {}, ...cells.map((text) => element("td", { class: "n" }, text))));
    }
    const names = ["time", "step", "sample", "pulse", "change", "weight after it"];
    const head = element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { class: "n", scope: "col" }, name))));
    const title = n > ROWS ? `The first ${ROWS} of ${grouped(n)} pulses` : "Its pulses in this page";
    root.querySelector(".pulses").append(element("details", {}, element("summary", {}, title),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, element("table", {}, head, body))));
  }

  function drawHistory() {
    const svg = root.querySelector("svg");
    svg.replaceChildren();
    if (!chosen) return;
    const { first, n, total } = pulsesOf(chosen);
    const length = timed ? devices.latency : 1;
    const points = [[0, chosen.start]];
    for (let i = first; i < first + n; i++) points.push([columns.t_ps[i], columns.w[i]]);
    points.push([Math.max(length, points[points.length - 1][0]), chosen.end]);
    const [from, to] = view || [0, points[points.length - 1][0]];
    // The height follows what is in view, with the point before and the one after it.
    const inside = points.filter(([t], i) => (t >= from && t <= to) ||
      (i + 1 < points.length && points[i + 1][0] >= from && t < from) || (i && points[i - 1][0] <= to && t > to));
    let low = Math.min(...inside.map(([, w]) => w)), high = Math.max(...inside.map(([, w]) => w));
    const margin = (high - low) * 0.08 || Math.abs(high) * 0.2 || 0.1;
    [low, high] = [low - margin, high + margin];
    const x = (t) => LEFT + ((t - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
    const y = (w) => HEIGHT - BOTTOM - ((w - low) / (high - low)) * (HEIGHT - TOP - BOTTOM);
    axes(svg, x, y, low, high, from, to);
    const frame = svgElement("svg", { x: LEFT - 4, y: 0, width: WIDTH - LEFT - RIGHT + 8, height: HEIGHT - BOTTOM + 6,
      viewBox: `${LEFT - 4} 0 ${WIDTH - LEFT - RIGHT + 8} ${HEIGHT - BOTTOM + 6}` });
    if (chosen.bounds) for (const bound of chosen.bounds)
      if (bound > low && bound < high) {
        svg.append(svgElement("path", { class: "bound", d: `M${LEFT} ${y(bound)}H${WIDTH - RIGHT}` }));
        svg.append(svgElement("text", { class: "tick", x: WIDTH - RIGHT - 4, y: y(bound) - 4, "text-anchor": "end" }, "bound"));
      }
    const steps = n && n === total;
    const d = steps ? points.map(([t, w], i) => (i ? `H${x(t).toFixed(1)}V${y(w).toFixed(1)}` : `M${x(t).toFixed(1)} ${y(w).toFixed(1)}`)).join("")
      : "M" + points.map(([t, w]) => `${x(t).toFixed(1)} ${y(w).toFixed(1)}`).join("L");
    svg.append(frame);
    frame.append(svgElement("path", { class: "line series0" + (n ? "" : " unknown"), d }));
    const marked = [];
    for (let i = first; i < first + n; i++) if (columns.t_ps[i] >= from && columns.t_ps[i] <= to) marked.push(i);
    for (let k = 0; k < marked.length; k += Math.max(Math.ceil(marked.length / MARKS), 1)) {
      const [px, py, up] = [x(columns.t_ps[marked[k]]), y(columns.w[marked[k]]), columns.polarity[marked[k]]];
      const shape = up > 0 ? `M${px} ${py - 3.4}l3 5h-6Z` : up < 0 ? `M${px} ${py + 3.4}l3 -5h-6Z` : `M${px - 3} ${py - 3}h6v6h-6Z`;
      frame.append(svgElement("path", { class: up > 0 ? "up" : up < 0 ? "down" : "reset", d: shape }));
    }
    for (const [t, w] of [points[0], points[points.length - 1]])
      frame.append(svgElement("circle", { class: "dot series0", cx: x(t), cy: y(w), r: 3.2 }));
    svg.setAttribute("aria-label", `Conductance over time, ${n ? `${total} pulses` : "start and end"}; arrow keys read the pulses, plus and minus zoom, 0 shows all`);
    svg.reading = { points, x, y, first, n, from, to, frame };
  }

  function axes(svg, x, y, low, high, from, to) {
    const bottom = HEIGHT - BOTTOM, right = WIDTH - RIGHT;
    for (const tick of ticks(low, high)) {
      svg.append(svgElement("path", { class: "grid", d: `M${LEFT} ${y(tick)}H${right}` }));
      svg.append(svgElement("text", { class: "tick", x: LEFT - 6, y: y(tick) + 4, "text-anchor": "end" }, String(Number(tick.toPrecision(6)))));
    }
    if (devices.conductance) {
      const [factor, prefix] = prefixOf(Math.max(Math.abs(toSiemens(low)), Math.abs(toSiemens(high))));
      const [offset, scale] = devices.conductance;
      for (const tick of ticks(toSiemens(low) / factor, toSiemens(high) / factor))
        svg.append(svgElement("text", { class: "tick", x: right + 6, y: y((tick * factor - offset) / scale) + 4 }, String(Number(tick.toPrecision(6)))));
      label(svg, WIDTH - 8, (TOP + bottom) / 2, `conductance (${prefix}S)`, true);
    }
    const [factor, prefix] = prefixOf(to * 1e-12);
    if (timed) for (const tick of ticks((from * 1e-12) / factor, (to * 1e-12) / factor, 6)) {
      const place = x((tick * factor) / 1e-12);
      svg.append(svgElement("path", { class: "grid", d: `M${place} ${bottom}v5` }));
      svg.append(svgElement("text", { class: "tick", x: place, y: bottom + 17, "text-anchor": "middle" }, String(Number(tick.toPrecision(9)))));
    }
    svg.append(svgElement("path", { class: "frame", d: `M${LEFT} ${TOP}V${bottom}H${right}V${TOP}` }));
    label(svg, 14, (TOP + bottom) / 2, "weight", true);
    label(svg, (LEFT + right) / 2, HEIGHT - 5, timed ? `simulated time (${prefix}s)` : "from start to end", false);
  }

  function label(svg, x, y, text, turned) {
    svg.append(svgElement("text", { class: "axis", "text-anchor": "middle",
      transform: `translate(${x} ${y})` + (turned ? " rotate(-90)" : "") }, text));
  }

  const svg = root.querySelector("svg");
  let read = -1;
  function zoom(from, to) {
    const { points } = svg.reading;
    const last = points[points.length - 1][0];
    const length = Math.min(Math.max(to - from, 1000), last);
    const start = Math.min(Math.max(from, 0), last - length);
    view = length >= last ? null : [start, start + length];
    drawHistory();
  }

  function readAt(index) {
    const last = svg.reading.points.length - 1;
    read = Math.min(Math.max(index, 0), last);
    const [t, w] = svg.reading.points[read];
    if (t < svg.reading.from || t > svg.reading.to) {
      const half = (svg.reading.to - svg.reading.from) / 2;
      zoom(t - half, t + half);
    }
    const { x, y, first, n, frame } = svg.reading;
    frame.querySelector(".mark")?.remove();
    frame.append(svgElement("circle", { class: "mark series0", cx: x(t), cy: y(w), r: 5 }));
    const i = first + read - 1;
    const what = read === 0 ? "start" : read > n ? "end"
      : `${columns.polarity[i] > 0 ? "up pulse" : columns.polarity[i] < 0 ? "down pulse" : "reset"} of step ${grouped(columns.step[i])}, change ${columns.dw[i].toPrecision(3)}`;
    said.textContent = `${timed ? seconds(t, 8) + ": " : ""}${what}, weight ${weight(w)}`;
  }

  const placeOf = (event) => {
    const box = svg.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * WIDTH;
  };
  const timeAt = (place) => svg.reading.from + ((place - LEFT) / (WIDTH - LEFT - RIGHT)) * (svg.reading.to - svg.reading.from);
  let drag = null;
  svg.addEventListener("pointerdown", (event) => {
    if (!svg.reading) return;
    svg.setPointerCapture(event.pointerId);
    drag = { from: placeOf(event), area: svgElement("rect", { class: "band series0", y: TOP, height: HEIGHT - TOP - BOTTOM, width: 0 }) };
    svg.append(drag.area);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!svg.reading) return;
    const place = placeOf(event);
    if (drag) {
      drag.area.setAttribute("x", Math.min(drag.from, place));
      drag.area.setAttribute("width", Math.abs(place - drag.from));
      return;
    }
    const { points, x } = svg.reading;
    let best = 0;
    points.forEach(([t], i) => { if (Math.abs(x(t) - place) < Math.abs(x(points[best][0]) - place)) best = i; });
    readAt(best);
  });
  svg.addEventListener("pointercancel", () => {
    drag?.area.remove();
    drag = null;
  });
  svg.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const [from, to] = [Math.min(drag.from, placeOf(event)), Math.max(drag.from, placeOf(event))];
    drag.area.remove();
    drag = null;
    if (to - from > 6) zoom(timeAt(from), timeAt(to));
  });
  svg.addEventListener("dblclick", () => { view = null; drawHistory(); });
  svg.addEventListener("keydown", (event) => {
    if (!svg.reading || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1e9, End: 1e9 };
    const scales = { "+": 0.5, "=": 0.5, "-": 2 };
    const { from, to, points } = svg.reading;
    if (event.key in moves) readAt(read + moves[event.key]);
    else if (event.key in scales) {
      const middle = read >= 0 ? points[read][0] : (from + to) / 2, half = ((to - from) * scales[event.key]) / 2;
      zoom(middle - half, middle + half);
      if (read >= 0) readAt(read);
    } else if (event.key === "0") { view = null; drawHistory(); }
    else return;
    event.preventDefault();
  });
  return { regions, mostPulsed, draw: drawHistory, show: (device) => { read = -1; view = null; said.textContent = ""; show(device); } };
}

// The timeline: one lane a component. Far out, how busy it is in each of many equal bins; close in, every action of the
// windows that the page holds.
async function startTimeline() {
  const data = block("timeline");
  if (!data) return;
  const LANE = 17, AXIS = 30, SHOWN_AT_ONCE = 5000;
  const root = document.getElementById("timeline");
  const canvas = root.querySelector("canvas");
  const said = root.querySelector(".read");
  const busy = await unpack(data.busy);
  const phase = await unpack(data.phase);
  const actions = await unpackAll(data.actions);
  const width = data.length / data.bins;
  const inLane = data.lanes.map(() => []);
  for (let i = 0; i < actions.t.length; i++) inLane[actions.lane[i]].push(i);
  const view = { start: 0, end: data.length };
  const shortest = Math.max(Math.min(1000, data.length / 1000), 1);
  const durations = actions.duration.filter((duration) => duration > 0).sort();
  const usual = durations[durations.length >> 1] || shortest;
  let lane = 0, chosen = null, gutter = 0, drag = null;

  let palette = [], textColour = "";
  const phaseColour = (index) => palette[Math.min(index, data.phases.length)];
  const toX = (t) => gutter + ((t - view.start) / (view.end - view.start)) * (canvas.clientWidth - gutter);
  const toTime = (x) => view.start + ((x - gutter) / (canvas.clientWidth - gutter)) * (view.end - view.start);

  function firstEndingAfter(list, time) {
    // Actions of a lane start in order; the few that overlap end nearly so.
    let low = 0, high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (actions.t[list[middle]] + actions.duration[list[middle]] < time) low = middle + 1;
      else high = middle;
    }
    return Math.max(low - 8, 0);
  }

  function visibleActions(number) {
    const list = inLane[number];
    const found = [];
    for (let i = firstEndingAfter(list, view.start); i < list.length && actions.t[list[i]] <= view.end; i++)
      if (actions.t[list[i]] + actions.duration[list[i]] >= view.start) found.push(list[i]);
    return found;
  }

  function oneByOne() {
    const visible = data.windows.some(([, start, end]) => start < view.end && end > view.start);
    if (!visible) return null;
    const lists = [];
    let total = 0;
    for (let number = 0; number < data.lanes.length; number++) {
      lists.push(visibleActions(number));
      total += lists[number].length;
      if (total > SHOWN_AT_ONCE) return null;
    }
    return lists;
  }

  function draw() {
    const full = root.querySelector(".lanes").clientWidth;
    gutter = full < 560 ? 96 : 150;
    const height = AXIS + data.lanes.length * LANE + 4;
    const context = sharpen(canvas, full, height);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    // Looked up once a drawing: the style of the page is slow to ask.
    palette = [...data.phases, "other"].map((_, index) => colour("p" + index));
    textColour = colour("on");
    const lists = oneByOne();
    drawAxis(context, full, height);
    data.lanes.forEach((name, number) => {
      const top = AXIS + number * LANE;
      context.fillStyle = number === lane && document.activeElement === canvas ? colour("ink") : colour("soft");
      context.fillText(name, 2, top + LANE / 2, gutter - 8);
      context.save();
      context.beginPath();
      context.rect(gutter, top, full - gutter, LANE);
      context.clip();
      drawBins(context, number, top, lists !== null);
      if (lists) drawActions(context, lists[number], top);
      context.restore();
    });
    if (drag && Math.abs(drag.x - drag.from) > 3) {
      context.fillStyle = colour("s0");
      context.globalAlpha = 0.2;
      context.fillRect(Math.min(drag.from, drag.x), AXIS, Math.abs(drag.x - drag.from), height - AXIS);
      context.globalAlpha = 1;
    }
    say(lists !== null);
  }

  function drawAxis(context, full, height) {
    context.fillStyle = colour("s1");
    for (const [, start, end] of data.windows) {
      const from = Math.max(toX(start), gutter), to = Math.min(toX(end), full);
      if (to > gutter && from < full) context.fillRect(from, AXIS - 5, Math.max(to - from, 3), 3);
    }
    const [factor, prefix] = prefixOf((view.end - view.start) * 1e-12);
    context.textAlign = "center";
    for (const tick of ticks((view.start * 1e-12) / factor, (view.end * 1e-12) / factor, Math.max((full - gutter) / 110, 2))) {
      const x = toX((tick * factor) / 1e-12);
      context.fillStyle = colour("line");
      context.fillRect(x, AXIS - 2, 1, height - AXIS);
      context.fillStyle = colour("soft");
      const text = Number(tick.toPrecision(9)) + " " + prefix + "s";
      const half = context.measureText(text).width / 2;
      context.fillText(text, Math.min(Math.max(x, gutter + half), full - half), 11);
    }
    context.textAlign = "left";
  }

  function drawBins(context, number, top, faint) {
    const first = Math.max(Math.floor(view.start / width), 0);
    const last = Math.min(Math.ceil(view.end / width), data.bins);
    for (let bin = first; bin < last; bin++) {
      const value = busy[number * data.bins + bin];
      if (!value) continue;
      if (faint && data.windows.some(([, start, end]) => start <= (bin + 1) * width && end >= bin * width)) continue;
      const from = toX(bin * width), to = toX((bin + 1) * width);
      const tall = Math.max(((LANE - 3) * value) / 255, 1);
      context.fillStyle = phaseColour(phase[number * data.bins + bin]);
      context.globalAlpha = 0.2;
      context.fillRect(from, top + 2, Math.max(to - from, 0.5), LANE - 3);
      context.globalAlpha = faint ? 0.35 : 1;
      context.fillRect(from, top + LANE - 1 - tall, Math.max(to - from, 0.5), tall);
    }
    context.globalAlpha = 1;
  }

  function drawActions(context, list, top) {
    for (const i of list) {
      const from = toX(actions.t[i]);
      const long = Math.max(toX(actions.t[i] + actions.duration[i]) - from, 0.7);
      const [operation, layer, action, phaseName] = data.names[actions.name[i]];
      const index = data.phases.indexOf(phaseName);
      context.fillStyle = phaseColour(index < 0 ? data.phases.length : index);
      context.fillRect(from, top + 2, Math.max(long - 0.5, 0.5), LANE - 3);
      if (long > 34) {
        context.fillStyle = textColour;
        context.save();
        context.beginPath();
        context.rect(from, top, long - 3, LANE);
        context.clip();
        context.fillText([operation, layer, action].filter(Boolean).join(" "), Math.max(from, gutter) + 4, top + LANE / 2 + 1);
        context.restore();
      }
      if (chosen === i) {
        context.strokeStyle = colour("ink");
        context.lineWidth = 2;
        context.strokeRect(from - 1, top + 1, long + 1.5, LANE - 2);
      }
    }
  }

  function describe(i) {
    const [operation, layer, action] = data.names[actions.name[i]];
    const parts = [data.lanes[actions.lane[i]], operation + (layer ? " of " + layer : ""),
      `${action} × ${grouped(actions.count[i])}`];
    if (actions.step[i] >= 0) parts.push("step " + grouped(actions.step[i]));
    return parts.concat(`starts at ${seconds(actions.t[i], 9)}`, `lasts ${seconds(actions.duration[i])}`,
      quantity(actions.energy[i], "J")).join(" · ");
  }

  function say(named) {
    const what = `${seconds(view.start, 6)} to ${seconds(view.end, 6)}`;
    root.querySelector(".view").textContent = named
      ? `${what}: every action.`
      : `${what}: the height says how busy a component is in each ${seconds(width)}, the colour which phase takes most of it.`;
  }

  function zoom(factor, around) {
    const length = Math.min(Math.max((view.end - view.start) * factor, shortest), data.length);
    const part = (around - view.start) / (view.end - view.start);
    move(around - part * length, length);
  }

  function move(start, length) {
    view.start = Math.min(Math.max(start, 0), data.length - length);
    view.end = view.start + length;
    draw();
  }

  function at(x, y) {
    const number = Math.floor((y - AXIS) / LANE);
    if (x < gutter || number < 0 || number >= data.lanes.length) return;
    lane = number;
    const time = toTime(x), slack = (3 * (view.end - view.start)) / (canvas.clientWidth - gutter);
    const near = oneByOne() ? visibleActions(lane).filter((i) =>
      time >= actions.t[i] - slack && time <= actions.t[i] + actions.duration[i] + slack) : [];
    chosen = near.length ? near.reduce((best, i) =>
      Math.abs(actions.t[i] + actions.duration[i] / 2 - time) < Math.abs(actions.t[best] + actions.duration[best] / 2 - time) ? i : best) : null;
    if (chosen !== null) said.textContent = describe(chosen);
    else {
      const place = lane * data.bins + Math.min(Math.floor(time / width), data.bins - 1);
      said.textContent = `${data.lanes[lane]} · around ${seconds(time)} it works ` +
        `${Math.round((100 * busy[place]) / 255)} % of the time` +
        (busy[place] ? `, mostly ${data.phases[phase[place]] || "other work"}` : "");
    }
  }

  function step(by) {
    const list = inLane[lane];
    if (!list.length) {
      said.textContent = `${data.lanes[lane]}: none of its actions is in the page`;
      return;
    }
    const now = list.indexOf(chosen);
    const middle = (view.start + view.end) / 2;
    const next = now >= 0 ? Math.min(Math.max(now + by, 0), list.length - 1)
      : Math.min(firstEndingAfter(list, view.end - view.start > data.length / 2 ? 0 : middle), list.length - 1);
    chosen = list[next];
    const length = Math.min(view.end - view.start, Math.max(actions.duration[chosen] * 40, usual * 40));
    const outside = actions.t[chosen] < view.start || actions.t[chosen] + actions.duration[chosen] > view.end;
    if (outside || length < view.end - view.start || !oneByOne())
      Object.assign(view, { start: Math.max(actions.t[chosen] - length / 2, 0) }, { end: Math.max(actions.t[chosen] - length / 2, 0) + length });
    said.textContent = describe(chosen);
    draw();
  }

  const whole = () => move(0, data.length);
  const pan = (part) => move(view.start + part * (view.end - view.start), view.end - view.start);
  const middle = () => (chosen === null ? (view.start + view.end) / 2 : actions.t[chosen]);
  const openWindow = (index) => {
    const [, start, end] = data.windows[index];
    move(start, Math.max(end - start, shortest));
  };
  const keys = {
    ArrowLeft: (event) => (event.shiftKey ? pan(-0.25) : step(-1)),
    ArrowRight: (event) => (event.shiftKey ? pan(0.25) : step(1)),
    ArrowUp: () => changeLane(-1),
    ArrowDown: () => changeLane(1),
    "+": () => zoom(0.5, middle()),
    "=": () => zoom(0.5, middle()),
    "-": () => zoom(2, middle()),
    Home: whole,
    0: whole,
  };
  function changeLane(by) {
    lane = Math.min(Math.max(lane + by, 0), data.lanes.length - 1);
    chosen = null;
    said.textContent = data.lanes[lane];
    draw();
  }
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const number = Number(event.key);
    if (event.key in keys) keys[event.key](event);
    else if (number >= 1 && number <= data.windows.length) openWindow(number - 1);
    else return;
    event.preventDefault();
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, draw);
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag = { from: Math.max(event.offsetX, gutter), x: Math.max(event.offsetX, gutter) };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drag) drag.x = Math.max(event.offsetX, gutter);
    else at(event.offsetX, event.offsetY);
    draw();
  });
  canvas.addEventListener("pointercancel", () => {
    drag = null;
    draw();
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const [from, to] = [Math.min(drag.from, drag.x), Math.max(drag.from, drag.x)];
    drag = null;
    if (to - from > 6) move(toTime(from), Math.max(toTime(to) - toTime(from), shortest));
    else at(event.offsetX, event.offsetY);
    draw();
  });
  canvas.addEventListener("dblclick", (event) => zoom(0.25, toTime(event.offsetX)));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, toTime(event.offsetX));
  }, { passive: false });
  root.querySelectorAll("button[data-do]").forEach((button) => button.addEventListener("click", () => ({
    in: () => zoom(0.5, middle()), out: () => zoom(2, middle()), left: () => pan(-0.5), right: () => pan(0.5), whole,
  })[button.dataset.do]()));
  root.querySelectorAll("button[data-window]").forEach((button) =>
    button.addEventListener("click", () => openWindow(Number(button.dataset.window))));
  redraws.push(draw);
  whenResized(root.querySelector(".lanes"), draw);
  draw();
  root.dataset.ready = "yes";
}

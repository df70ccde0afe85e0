// What the drawings share: colours of the page, numbers with units, elements, redrawing.
const redraws = [];
for (const query of ["(prefers-color-scheme: dark)", "print"])
  matchMedia(query).addEventListener("change", () => redraws.forEach((draw) => draw()));
addEventListener("beforeprint", () => redraws.forEach((draw) => draw()));
addEventListener("afterprint", () => redraws.forEach((draw) => draw()));

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function svgElement(tag, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "u"], [1e-9, "n"], [1e-12, "p"],
  [1e-15, "f"], [1e-18, "a"]];

function prefixOf(value) {
  const size = Math.abs(value);
  return PREFIXES.find(([factor]) => size >= factor * 0.9999999) || (size ? PREFIXES[PREFIXES.length - 1] : [1, ""]);
}

function quantity(value, unit, digits = 4) {
  const [factor, prefix] = prefixOf(value);
  return Number((value / factor).toPrecision(digits)) + " " + prefix + unit;
}

function seconds(picoseconds, digits = 4) {
  return quantity(picoseconds * 1e-12, "s", digits);
}

function grouped(value) {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

// About `wanted` multiples of 1, 2 or 5 times a power of ten between low and high.
function ticks(low, high, wanted = 5) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= rough * 0.9999999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i++) found.push(i * step);
  return found;
}

// A canvas of so many CSS pixels, sharp on every display and in print.
function sharpen(canvas, width, height) {
  const ratio = Math.max(devicePixelRatio || 1, 2);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function whenResized(target, draw) {
  let before = target.clientWidth;
  new ResizeObserver(() => {
    if (target.clientWidth !== before) {
      before = target.clientWidth;
      draw();
    }
  }).observe(target);
}

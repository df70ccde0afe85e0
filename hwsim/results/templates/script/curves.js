// Reads values off the curves: with the pointer, or with the arrow keys when a chart has the focus.
function readable(chart) {
  const series = JSON.parse(chart.dataset.series);
  const said = chart.parentElement.querySelector(".read");
  const mark = svgElement("circle", { r: 4, class: "mark" });
  let line = 0;
  let place = -1;

  function show() {
    const { name, points } = series[line];
    const [x, y, xText, yText] = points[place];
    mark.setAttribute("cx", x);
    mark.setAttribute("cy", y);
    mark.setAttribute("class", "mark series" + (series[line].colour));
    chart.append(mark);
    said.textContent = `${name}: ${chart.dataset.x} ${xText}, ${chart.dataset.y} ${yText}`;
  }

  function nearest(x, y) {
    let best = Infinity;
    series.forEach(({ points }, index) =>
      points.forEach(([px, py], i) => {
        const distance = Math.hypot(px - x, (py - y) / 2);
        if (distance < best) [best, line, place] = [distance, index, i];
      }));
    show();
  }

  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const view = chart.viewBox.baseVal;
    nearest(((event.clientX - box.left) / box.width) * view.width, ((event.clientY - box.top) / box.height) * view.height);
  });
  chart.addEventListener("keydown", (event) => {
    const moves = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -1e9, End: 1e9 };
    const last = () => series[line].points.length - 1;
    if (event.key in moves) place = Math.min(Math.max(place + moves[event.key], 0), last());
    else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      const x = place < 0 ? 0 : series[line].points[place][0];
      line = (line + (event.key === "ArrowDown" ? 1 : series.length - 1)) % series.length;
      place = series[line].points.reduce((best, point, i, all) =>
        Math.abs(point[0] - x) < Math.abs(all[best][0] - x) ? i : best, 0);
    } else return;
    event.preventDefault();
    show();
  });
}

function startCurves() {
  document.querySelectorAll("svg.chart[data-series]").forEach(readable);
}

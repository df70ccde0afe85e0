// Each part starts by itself, so that a fault in one leaves the others.
for (const start of [startCurves, startTimeline, startMaps]) {
  Promise.resolve().then(start).catch((fault) => {
    console.error(fault);
    document.body.dataset.fault = String(fault);
  });
}

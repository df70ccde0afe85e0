startCurves();

// The small chart of changes a second. uPlot draws on a canvas; its colours are read from the page's style.
import uPlot from "../vendor/uplot.js";
import { serverNow } from "./socket.js";

const STEP = 5;
const POINTS = 180;

function series(rate) {
  const counts = new Map(rate);
  const end = Math.floor(serverNow() / 1000 / STEP) * STEP;
  const times = Array.from({ length: POINTS }, (_, i) => end - (POINTS - 1 - i) * STEP);
  return [times, times.map((time) => (counts.get(time) ?? 0) / STEP)];
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Draw into `box`, or give new data to `plot`; returns the plot.
export function drawRate(box, rate, plot) {
  const data = series(rate);
  const look = `${colour("--accent")}${colour("--text-dim")}`;
  if (plot && plot.look === look && plot.width === box.clientWidth) {
    plot.setData(data);
    return plot;
  }
  plot?.destroy();
  const axis = {
    stroke: colour("--text-dim"),
    grid: { show: false },
    ticks: { show: false },
    font: "11px Inter, sans-serif",
  };
  const made = new uPlot(
    {
      width: box.clientWidth,
      height: 92,
      cursor: { show: false },
      legend: { show: false },
      padding: [6, 17, 0, 0],
      scales: { y: { range: (_self, _low, high) => [0, Math.max(1, high * 1.1)] } },
      axes: [
        {
          ...axis,
          size: 20,
          space: 90,
          values: (_self, ticks) => ticks.map((t) => new Date(t * 1000).toTimeString().slice(0, 5)),
        },
        { ...axis, size: 34, space: 34 },
      ],
      series: [
        {},
        {
          stroke: colour("--accent"),
          width: 1.5,
          fill: colour("--accent-soft"),
          points: { show: false },
          paths: uPlot.paths.stepped({ align: 1 }),
        },
      ],
    },
    data,
    box,
  );
  made.look = look;
  return made;
}

// What uPlot draws: figures over time, and the small chart of changes a second. Fetched when the first is seen. A
// canvas knows no style sheet: its colours are read from there.
import uPlot from "../vendor/uplot.js";
import { serverNow } from "./socket.js";
import { colour } from "./theme.js";

const FONT = "11px Inter, sans-serif";
const HEIGHT = 150;
// Steps of an axis of bytes: those that are round in KiB, MiB and so on.
const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);

// Times of the axis in local time; the day where it changes or the range is long.
function ticks(_self, splits) {
  const long = splits.length > 1 && splits.at(-1) - splits[0] > 86_400;
  let before = "";
  return splits.map((at) => {
    const when = new Date(at * 1000);
    const day = when.toLocaleDateString([], { month: "short", day: "numeric" });
    const clock = when.toTimeString().slice(0, 5);
    const text = long && (day !== before || clock === "00:00") ? day : clock;
    before = day;
    return text;
  });
}

// `lines`: [{name, values, colour, fill, dash, far}] on `times`; what is far does not stretch the axis. `show` writes a
// value, `point(index)` is told where the pointer is.
export class Plot {
  constructor(box, { show, point, sync, binary }) {
    this.box = box;
    this.show = show;
    this.point = point;
    this.sync = sync;
    this.binary = binary;
    this.plot = null;
    this.look = "";
    // An empty canvas must not hold its box open: the width is the page's to decide.
    this.watch = new ResizeObserver(() => {
      if (this.plot && box.clientWidth && box.clientWidth !== this.plot.width)
        this.plot.setSize({ width: box.clientWidth, height: HEIGHT });
    });
    this.watch.observe(box);
  }

  draw(times, lines, [from, to]) {
    const data = [times, ...lines.map((line) => line.values)];
    const look = JSON.stringify([
      lines.map(({ name, colour: one, dash, far }) => [name, one, dash, far]),
      colour("--text-dim"),
      colour("--accent"),
      colour("--surface"),
    ]);
    if (this.plot && look === this.look) {
      this.plot.batch(() => {
        this.plot.setData(data, false);
        this.plot.setScale("x", { min: from, max: to });
      });
      return;
    }
    this.plot?.destroy();
    this.look = look;
    this.plot = new uPlot(this.options(lines, from, to), data, this.box);
  }

  options(lines, from, to) {
    const axis = {
      stroke: colour("--text-dim"),
      grid: { stroke: colour("--line-soft"), width: 1 },
      ticks: { show: false },
      font: FONT,
    };
    return {
      width: this.box.clientWidth || 300,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 17, 0, 0],
      cursor: {
        points: { size: 6 },
        drag: { x: false, y: false },
        sync: { key: this.sync, setSeries: false },
        y: false,
      },
      scales: {
        x: { time: true, range: (_self, low, high) => [low, high], min: from, max: to },
        y: { range: (_self, _low, high) => [0, high > 0 ? high * 1.08 : 1] },
      },
      axes: [
        { ...axis, size: 22, space: 70, values: ticks },
        {
          ...axis,
          size: 62,
          space: 34,
          ...(this.binary && { incrs: BINARY }),
          values: (_self, all) => all.map((one) => this.show(one)),
        },
      ],
      series: [
        {},
        ...lines.map((line) => ({
          stroke: line.colour.startsWith("--") ? colour(line.colour) : line.colour,
          fill: line.fill && colour(line.fill),
          width: line.dash ? 1 : 1.5,
          dash: line.dash,
          auto: !line.far,
          points: { show: (self, at) => alone(self.data[at]) },
          spanGaps: false,
        })),
      ],
      hooks: { setCursor: [(self) => this.point(self.cursor.idx ?? null)] },
    };
  }

  // The crosshair to a place on the time axis, for the keyboard; null takes it away.
  place(index) {
    if (!this.plot) return;
    const left = index === null ? -10 : this.plot.valToPos(this.plot.data[0][index], "x");
    this.plot.setCursor({ left, top: index === null ? -10 : 10 }, true);
  }

  destroy() {
    this.watch.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }
}

// A value between two gaps is no line: it shows as a point.
function alone(values) {
  let seen = 0;
  for (const value of values) if (value !== null && value !== undefined && ++seen > 1) return false;
  return seen === 1;
}

// Of the changes a second: seconds a point, and how many points.
const STEP = 5;
const POINTS = 180;

function series(rate) {
  const counts = new Map(rate);
  const end = Math.floor(serverNow() / 1000 / STEP) * STEP;
  const times = Array.from({ length: POINTS }, (_, i) => end - (POINTS - 1 - i) * STEP);
  return [times, times.map((time) => (counts.get(time) ?? 0) / STEP)];
}

// Draw the changes a second into `box`, or give new data to `plot`; returns the plot.
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
    font: FONT,
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

// The charts of an object or of the cluster: asked for at intervals, drawn together, with one crosshair. They say how
// old they are, and why, as soon as nothing new comes.
import { html, useEffect, useMemo, useRef, useState } from "./lib.js";
import { route, setQuery } from "./router.js";
import { clock, link, question, serverNow } from "./socket.js";
import { dark } from "./theme.js";
import { bytes, count, epoch, fullMoment, human, sentence } from "./format.js";
import { LongName, Panel, Some } from "./parts.js";

const RANGES = ["15m", "1h", "6h", "24h", "7d", "30d"];
const SECONDS = { "15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 };
const PATIENCE = 12_000;
const RETRY = 3_000; // milliseconds
const OF_WORKLOADS = [
  "deployments.apps",
  "statefulsets.apps",
  "daemonsets.apps",
  "jobs.batch",
  "replicationcontrollers",
];

// Whether a kind has figures.
export const hasFigures = (storage, object) =>
  ["pods", "nodes", "namespaces", ...OF_WORKLOADS].includes(storage) ||
  (storage === "replicasets.apps" && !object?.metadata.ownerReferences?.length);

// Two or three digits that say something.
function digits(value) {
  if (value === 0) return "0";
  if (value >= 100) return String(Math.round(value));
  if (value >= 10) return String(+value.toFixed(1));
  return String(value >= 1 ? +value.toFixed(2) : +value.toPrecision(2));
}
const SHOW = {
  cores: (value) => (value !== 0 && value < 0.1 ? `${digits(value * 1000)}m` : digits(value)),
  bytes,
  "bytes/s": (value) => `${bytes(value)}/s`,
  restarts: (value) => digits(value),
};
const CHARTS = [
  { id: "cpu", title: "CPU", metrics: ["cpu"], unit: "cores" },
  { id: "memory", title: "Memory", metrics: ["memory"], unit: "working set" },
  { id: "network", title: "Network", metrics: ["rx", "tx"], names: { rx: "received", tx: "sent" } },
  { id: "fs", title: "File system", metrics: ["fs"], unit: "used" },
  { id: "restarts", title: "Restarts", metrics: ["restarts"], unit: "in each step" },
];

// What of an answer becomes a line: of several metrics the total of each; of one the whole, its parts, the rest of
// them, and what is requested or allowed.
function linesOf(chart, doc) {
  const found = chart.metrics.filter((name) => doc.figures[name]);
  if (found.length === 1) {
    const measured = measuredLines(doc.figures[found[0]]);
    return [...measured, ...fixedLines(doc, found[0], Math.max(0, ...measured.flatMap((line) => line.values)))];
  }
  return found.map((name, i) => ({
    name: chart.names[name],
    values: doc.figures[name].total,
    colour: `--c${i + 1}`,
    fill: i ? "" : "--accent-soft",
  }));
}

function measuredLines({ total, series, other }) {
  const parts = series.map((one) => ({ name: nameOf(one.labels), values: one.values }));
  if (other) parts.push({ name: "others", values: other });
  const whole = { name: "total", values: total, colour: "--text-dim", fill: "" };
  if (!parts.length) return [{ ...whole, colour: "--c1", fill: "--accent-soft" }];
  const lines = parts.map((one, i) => ({
    ...one,
    colour: one.name === "others" ? "--none" : `--c${(i % 8) + 1}`,
    fill: parts.length === 1 ? "--accent-soft" : "",
  }));
  return parts.length === 1 ? lines : [whole, ...lines];
}

// What a machine has may be far above the `most` that is used, and would leave a flat line of it: it does not stretch
// the axis. What a pod is allowed does.
function fixedLines(doc, metric, most) {
  return (doc.lines?.[metric] ?? []).map(([title, value]) => ({
    name: title,
    far: title === "allocatable" && value > 4 * most,
    values: doc.times.map(() => value),
    colour: title === "limit" ? "--bad" : "--progress",
    dash: title === "limit" ? [2, 3] : [6, 4],
    fixed: true,
  }));
}

const nameOf = (labels) =>
  labels.container ?? labels.pod ?? labels.workload?.split("/")[1] ?? labels.namespace ?? labels.node ?? "";
const GONE = 4; // steps without a value after which a line has ended
const newest = (line) => line.values.slice(-GONE).findLast((value) => value !== null && value !== undefined);
const some = (lines) => lines.some((line) => !line.fixed && line.values.some((value) => value !== null));

// Asks again and again, of a time that is over (`to`) once; {doc, at, problem}: the last answer, when it came (server's
// time), why there is no newer one.
function useFigures(key, ns, range, to) {
  const [state, setState] = useState({ doc: null, at: 0, problem: null });
  const about = JSON.stringify([key, ns, range, to]);
  useEffect(() => {
    let timer = 0;
    let over = false;
    let answered = false;
    setState({ doc: null, at: 0, problem: null });
    const again = (wait) => {
      if (!over) timer = setTimeout(ask, wait);
    };
    const failed = (why, text) => {
      if (!over) setState((now) => ({ ...now, problem: { why, text, since: now.problem?.since ?? serverNow() } }));
      again(RETRY);
    };
    const ask = async () => {
      if (document.hidden) return again(RETRY);
      // A page that has just been opened connects in a moment.
      if (!answered && link.value.state !== "live") return again(150);
      const late = new Promise((_, reject) => {
        setTimeout(() => reject(new Error("the dashboard's server does not answer")), PATIENCE);
      });
      try {
        const doc = await Promise.race([question("figures", { key, ns, range, to }), late]);
        if (over) return undefined;
        if (doc.silent) return failed(doc.silent, doc.text);
        answered = true;
        setState({ doc, at: serverNow(), problem: null });
        return to ? undefined : again(Math.min(60, Math.max(2, doc.step, doc.interval)) * 1000);
      } catch (error) {
        return failed("error", error.message);
      }
    };
    ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [about]);
  return state;
}

export function Figures({ object = null, ns = "", title = "Usage", only }) {
  const range = RANGES.includes(route.value.query.range) ? route.value.query.range : "1h";
  const to = Math.floor(epoch(route.value.query.to)) || undefined;
  const state = useFigures(object, ns, range, to);
  const [point, setPoint] = useState(null);
  const sync = useMemo(() => `figures-${Math.random()}`, []);
  const { doc, problem } = state;
  const asked = doc
    ? CHARTS.filter((chart) => !only || only.includes(chart.id))
        .map((chart) => ({ ...chart, lines: linesOf(chart, doc) }))
        .filter(({ lines }) => lines.length)
    : [];
  // Of restarts only those that happened are worth a chart.
  const charts = asked.filter(
    ({ id, lines }) => some(lines) && (id !== "restarts" || lines[0].values.some((value) => value > 0)),
  );
  const missing = asked.filter(({ lines }) => !some(lines));
  return html`
    <${Panel} title=${title} class="figures" aside=${html`<${Ranges} range=${range} to=${to} />`}>
      ${(!to || problem) && html`<${State} state=${state} />`}
      ${
        doc
          ? html`
            <div class="figure-grid ${problem ? "old" : ""}">
              ${charts.map(
                (chart) => html`
                  <${Chart} key=${chart.id} ...${{ chart, doc, range, sync, point, setPoint }} />
                `,
              )}
            </div>
            ${
              missing.length > 0 &&
              doc.newest > 0 &&
              html`
                <p class="figure-state">
                  ${sentence(
                    missing.map((chart, i) => (i && chart.id !== "cpu" ? chart.title.toLowerCase() : chart.title)),
                  )}${" "}
                  ${missing.length > 1 ? "were" : "was"} not measured in this time.
                </p>
              `
            }
          `
          : !problem &&
            html`
              <p class="empty" aria-busy="true">
                Asking for figures…
              </p>
            `
      }
    <//>
  `;
}

const Ranges = ({ range, to }) => html`
  <span class="ranges" role="group" aria-label="How far back">
    ${
      to &&
      html`
        <button type="button" class="quiet" title="Up to now again" onClick=${() => setQuery({ to: "" })}>
          until ${fullMoment(to)} ×
        </button>
      `
    }
    ${RANGES.map(
      (one) => html`
        <button
          key=${one}
          type="button"
          class="quiet"
          aria-pressed=${one === range}
          onClick=${() => setQuery({ range: one === "1h" ? "" : one })}
        >
          ${one}
        </button>
      `,
    )}
  </span>
`;

// Why there is nothing, or nothing new. Grows by the second.
function State({ state: { doc, at, problem } }) {
  const now = clock.value;
  if (problem?.why === "off" || problem?.why === "refused")
    return html`
      <p class="figure-state" role="status">
        ${problem.text}
      </p>
    `;
  if (problem && doc)
    return html`
      <p class="figure-state bad" role="alert">
        No answer from monitoring for ${human((now - at) / 1000)}: what is shown is that old.${" "}
        <span class="dim">${problem.text}</span>
      </p>
    `;
  if (problem)
    return html`
      <p class="figure-state bad" role="alert">
        ${problem.text}${" "}
        <span class="dim">Asking again, for ${human(Math.max(0, now - problem.since) / 1000)}.</span>
      </p>
    `;
  const age = doc ? now / 1000 - doc.newest : 0;
  if (doc && doc.newest === 0)
    return html`
      <p class="figure-state" role="status">
        Monitoring has no figures yet.
      </p>
    `;
  if (age > 4 * doc?.interval + 5)
    return html`
      <p class="figure-state bad" role="alert">
        The newest figure is ${human(age)} old: the kubelets do not answer, or monitoring does not ask.
      </p>
    `;
  return null;
}

function Chart({ chart, doc, range, sync, point, setPoint }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [made, setMade] = useState(0);
  const show = SHOW[doc.figures[chart.metrics[0]].unit] ?? digits;
  useEffect(() => {
    let over = false;
    import("./plots.js").then(({ Plot }) => {
      if (over || !box.current) return; // the chart may be gone before its effect ever ran
      plot.current = new Plot(box.current, {
        show,
        point: setPoint,
        sync,
        binary: show === SHOW.bytes || show === SHOW["bytes/s"],
      });
      setMade(1);
    });
    return () => {
      over = true;
      plot.current?.destroy();
    };
  }, []);
  const end = Math.max(doc.times.at(-1) ?? 0, 0);
  useEffect(() => {
    plot.current?.draw(doc.times, chart.lines, [end - SECONDS[range], end]);
  }, [made, doc, range, dark.value]);
  const last = doc.times.length - 1;
  const keys = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20 }[event.key];
    const places = { Home: 0, End: last, Escape: null };
    if (step) places[event.key] = Math.min(last, Math.max(0, (point ?? last) + step));
    const to = places[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    plot.current?.place(to);
  };
  return html`
    <figure class="figure">
      <figcaption>
        <b>${chart.title}</b>
        ${chart.unit && html`<span class="dim"> ${chart.unit}</span>`}
        <span class="dim when">${point !== null && point <= last ? fullMoment(doc.times[point]) : ""}</span>
      </figcaption>
      <div
        class="plot"
        ref=${box}
        tabindex="0"
        role="img"
        aria-label=${spoken(chart, range, show)}
        data-chart=${chart.id}
        data-points=${chart.lines[0]?.values.filter((value) => value !== null).length}
        data-newest=${end}
        onKeyDown=${keys}
        onBlur=${() => plot.current?.place(null)}
      ></div>
      <${Legend} lines=${chart.lines} at=${point} show=${show} speak=${point !== null} />
    </figure>
  `;
}

// The names of the lines with their values: at the crosshair, else the newest.
function Legend({ lines, at, show, speak }) {
  const line = (one) => {
    const value = at === null ? newest(one) : one.values[at];
    return html`
      <li key=${one.name} title=${one.name}>
        <i class=${`swatch ${one.colour.slice(2)} ${one.dash ? "dashed" : ""}`} />
        <span class="name">
          <${LongName} text=${one.name} />
        </span>
        <b>${value === null || value === undefined ? "–" : show(value)}</b>
      </li>
    `;
  };
  return html`
    <${Some}
      tag="ul"
      class="figure-legend"
      aria-live=${speak ? "polite" : "off"}
      rows=${lines}
      row=${line}
      limit=${5}
    />
  `;
}

// What a chart says to those who hear it.
function spoken(chart, range, show) {
  const values = (chart.lines[0]?.values ?? []).filter((value) => value !== null);
  if (!values.length) return `${chart.title} over ${range}: nothing was measured`;
  const [now, most] = [values.at(-1), Math.max(...values)].map(show);
  return (
    `${chart.title} over ${range}, ${count(values.length)} points: now ${now}, at most ${most}. ` +
    "Left and right arrows read values."
  );
}

// The page "Logs": a query, its lines over time, the lines, and the fields. All of it follows the URL.
import { html, useEffect, useMemo, useRef, useState } from "../../lib.js";
import { ROOT, route, setQuery } from "../../router.js";
import { clock, serverNow } from "../../socket.js";
import { count, epoch, fullMoment, human } from "../../format.js";
import { Copy } from "../../parts.js";
import { Store } from "./store.js";
import { QueryBox, TimeRange } from "./query.js";
import { Histogram } from "./histogram.js";
import { Lines } from "./lines.js";
import { Fields } from "./fields.js";
import { fixed, nanosLater, stamp, view } from "./view.js";

const PAGE = 200;
const MOST = 3_000;
const BARS = 120;
const RETRY = 3_000;
const KEPT = 2_000;

// The answer to the view: {lines, next, bars, asked, at, problem}. What was there stays while the next is on its way.
function useSearch(store, { q, from, to, ns, order }, round) {
  const [state, setState] = useState({
    lines: [],
    next: null,
    bars: null,
    asked: null,
    at: 0,
    problem: null,
    busy: true,
  });
  const about = JSON.stringify([q, from, to, ns, order, round, route.value.cluster]);
  const latest = useRef("");
  useEffect(() => {
    let timer = 0;
    latest.current = about;
    const mine = (change) => {
      if (latest.current === about) setState((now) => ({ ...now, ...change }));
    };
    const run = async () => {
      const [low, high] = fixed({ from, to });
      const asked = { query: q, from: stamp(low), to: stamp(high), namespaces: ns };
      mine({ busy: true });
      try {
        const [page, bars] = await Promise.all([
          store.ask("search", { ...asked, limit: PAGE, order }),
          store.ask("histogram", { ...asked, buckets: BARS }),
        ]);
        mine({
          lines: page.lines,
          next: page.next,
          bars: { ...bars, low, high },
          asked,
          at: serverNow(),
          problem: null,
          busy: false,
        });
      } catch (error) {
        mine({
          problem: { message: error.message, why: error.why, column: error.column, length: error.length },
          busy: false,
        });
        if (error.why && latest.current === about) timer = setTimeout(run, RETRY);
      }
    };
    run();
    return () => {
      latest.current = "";
      clearTimeout(timer);
    };
  }, [about]);
  const more = async () => {
    if (!state.next || state.busy) return;
    setState((now) => ({ ...now, busy: true }));
    try {
      const page = await store.ask("search", { ...state.asked, limit: PAGE, order, after: state.next });
      setState((now) =>
        now.asked === state.asked
          ? { ...now, lines: [...now.lines, ...page.lines], next: page.next, busy: false }
          : now,
      );
    } catch (error) {
      setState((now) => ({ ...now, busy: false, problem: { message: error.message, why: error.why } }));
    }
  };
  return [state, more];
}

// Lines as they come, beside those that were found: {lines, waiting, problem}.
function useTail(store, { q, ns, live }, paused) {
  const [state, setState] = useState({ lines: [], waiting: 0, problem: null });
  const held = useRef({ lines: [], ids: new Set(), paused });
  held.current.paused = paused;
  const show = () => setState((now) => ({ ...now, lines: [...held.current.lines], waiting: 0 }));
  useEffect(() => {
    if (!paused && live) show();
  }, [paused]);
  useEffect(() => {
    const mine = { lines: [], ids: new Set(), paused };
    held.current = mine;
    setState({ lines: [], waiting: 0, problem: null });
    if (!live) return undefined;
    let timer = 0;
    const take = (frame) => {
      if (frame.message || frame.error) {
        setState((now) => ({
          ...now,
          problem: {
            message: frame.message ?? frame.error,
            why: frame.why,
            column: frame.column ?? null,
            length: frame.length,
          },
        }));
        return;
      }
      setState((now) => (now.problem ? { ...now, problem: null } : now));
      let fresh = 0;
      for (const line of frame.lines ?? [])
        if (!mine.ids.has(line._id)) {
          mine.ids.add(line._id);
          mine.lines.push(line);
          fresh++;
        }
      if (!fresh) return;
      for (const old of mine.lines.splice(0, Math.max(0, mine.lines.length - KEPT))) mine.ids.delete(old._id);
      if (mine.paused) setState((now) => ({ ...now, waiting: now.waiting + fresh }));
      else
        timer ||= setTimeout(() => {
          timer = 0;
          if (held.current === mine && !mine.paused) show();
        }, 100);
    };
    const end = store.follow({ query: q, namespaces: ns }, take);
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [q, JSON.stringify(ns), live, route.value.cluster]);
  return state;
}

function merged(found, tail, order) {
  if (!tail.length) return found;
  const known = new Set(found.map((line) => line._id));
  const all = [...found, ...tail.filter((line) => !known.has(line._id))];
  const sign = order === "newest" ? -1 : 1;
  return all
    .sort((a, b) => sign * (nanosLater(a["@timestamp"], b["@timestamp"]) || nanosLater(a._id, b._id)))
    .slice(0, MOST);
}

export function LogsPage() {
  const now = view();
  const store = useMemo(() => new Store(), []);
  useEffect(() => () => store.close(), [store]);
  const [round, setRound] = useState(0);
  const [paused, setPaused] = useState(false);
  const [open, setOpen] = useState("");
  const [found, more] = useSearch(store, now, round);
  const tail = useTail(store, now, paused);
  const problem = found.problem ?? tail.problem;
  const lines = useMemo(() => merged(found.lines, tail.lines, now.order), [found.lines, tail.lines, now.order]);
  if (problem?.why === "off")
    return html`
      <div class="page logs-page">
        <div class="failure">
          <h2>No logs</h2>
          <p role="status">${problem.message}</p>
        </div>
      </div>
    `;
  const full = lines.length >= MOST;
  const next = html`
    <button type="button" class="quiet" disabled=${found.busy} onClick=${more}>
      ${found.busy ? "Asking…" : `Next ${PAGE}`}
    </button>
  `;
  const rest = full
    ? `${count(MOST)} lines are shown: choose a shorter time or a narrower query to see others.`
    : found.next && next;
  const none = now.live ? "No line yet; they appear here as they come." : "No line matches in this time.";
  const asking = found.busy && !found.at;
  return html`
    <div class="page logs-page">
      <${QueryBox} problem=${problem} />
      <${Tools}
        now=${now}
        found=${found}
        paused=${paused}
        setPaused=${setPaused}
        waiting=${tail.waiting}
        again=${() => setRound(round + 1)}
      />
      <${Trouble} problem=${problem} at=${found.at} />
      <${Dropped} bars=${found.bars} />
      <${Histogram} doc=${found.bars} stale=${Boolean(problem)} />
      <div class="log-columns">
        <${Fields} lines=${lines} asked=${found.asked} store=${store} />
        <${Lines}
          lines=${lines}
          wrap=${now.wrap}
          open=${open}
          onOpen=${setOpen}
          store=${store}
          more=${rest}
          follow=${now.live && !paused && !open && (now.order === "newest" ? "begin" : "end")}
          empty=${asking ? "Asking…" : !problem && none}
        />
      </div>
    </div>
  `;
}

function Tools({ now, found, paused, setPaused, waiting, again }) {
  const link = () => {
    const url = new URL(location.href);
    const [low, high] = fixed(now);
    url.searchParams.set("from", stamp(low));
    url.searchParams.set("to", stamp(high));
    url.searchParams.delete("live");
    return url.href;
  };
  return html`
    <div class="tools">
      <${TimeRange} />
      <button type="button" class="quiet" onClick=${again} title="Ask again">
        Refresh
      </button>
      <button
        type="button"
        class="quiet"
        aria-pressed=${now.live}
        onClick=${() => {
          setPaused(false);
          setQuery({ live: now.live ? "" : "1" });
        }}
      >
        Live
      </button>
      ${
        now.live &&
        html`
          <button type="button" class="quiet" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>
            ${paused ? `Go on${waiting ? ` · ${count(waiting)} new` : ""}` : "Pause"}
          </button>
        `
      }
      <button
        type="button"
        class="quiet"
        onClick=${() => setQuery({ order: now.order === "newest" ? "oldest" : "" })}
      >
        ${now.order === "newest" ? "Newest first" : "Oldest first"}
      </button>
      <button
        type="button"
        class="quiet"
        aria-pressed=${now.wrap}
        onClick=${() => setQuery({ wrap: now.wrap ? "" : "1" })}
      >
        Wrap
      </button>
      <span class="log-count" role="status">
        ${found.bars && found.at ? `${count(found.bars.total)} lines` : ""}
      </span>
      <div class="right">
        <${Copy} text=${link} label="Copy link" title="A link to these lines, with its times fixed" />
        <a class="quiet" download href=${downloadUrl(now, "text")}>
          Text
        </a>
        <a class="quiet" download href=${downloadUrl(now, "json")}>
          JSON lines
        </a>
      </div>
    </div>
  `;
}

function downloadUrl(now, format) {
  const url = new URL(`c/${encodeURIComponent(route.value.cluster)}/logs/download`, ROOT);
  const [low, high] = fixed(now);
  for (const [name, value] of Object.entries({
    q: now.q,
    from: stamp(low),
    to: stamp(high),
    ns: now.ns.join(","),
    format,
  }))
    if (value) url.searchParams.set(name, value);
  return url.href;
}

// Why there is nothing new; how old what is shown is grows by the second.
function Trouble({ problem, at }) {
  if (!problem || (problem.column !== null && problem.column !== undefined)) return null;
  return html`
    <p class="log-trouble" role="alert">
      ${problem.message}
      ${at ? html` What is shown is <b>${human((clock.value - at) / 1000)}</b> old.` : ""}
    </p>
  `;
}

// That the time that was asked for reaches into what the store had no room for.
function Dropped({ bars }) {
  const until = epoch(bars?.dropped_until);
  return until && until * 1000 >= bars.low
    ? html`
      <p class="log-dropped" role="note">
        Lines up to ${fullMoment(Math.floor(until))} were dropped early: the log store has reached its size.
      </p>
    `
    : null;
}

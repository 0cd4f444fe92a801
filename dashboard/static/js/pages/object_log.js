// A pod's log: followed live over its own socket, bounded, filtered and highlighted here; only lines on screen exist.
import { html, signal, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../lib.js";
import { route, setQuery } from "../router.js";
import { openSocket } from "../socket.js";
import { bytes, count, withoutAnsi } from "../format.js";
import { download, Empty } from "../parts.js";

const MAX_LINES = 20_000;
const HEIGHT = 19;
const RETRY = 2000;

class Log {
  constructor(query) {
    this.query = query;
    this.lines = [];
    this.dropped = 0;
    this.state = signal("connecting");
    this.problem = "";
    this.version = signal(0);
    this.last = "";
    this.closed = false;
    this.number = 0;
    this.open();
  }

  open() {
    if (this.closed) return;
    const tail = this.last ? String(MAX_LINES) : this.query.tail;
    const socket = openSocket("log", { ...this.query, since: this.last, tail });
    this.socket = socket;
    socket.onmessage = (event) => this.take(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (socket === this.socket) this.ended(event.code);
    };
  }

  take(frame) {
    if (frame.t === "open") this.state.value = "open";
    else if (frame.t === "error") {
      this.problem = frame.message;
      this.state.value = "error";
    } else if (frame.t === "end") this.state.value = "ended";
    else if (frame.t === "lines") this.add(frame.lines);
  }

  // After a reconnection the server begins at the second of the last line: what is known is left out.
  add(lines) {
    for (const [time, text, cut] of lines) {
      if (time && this.last && time <= this.last) continue;
      if (time) this.last = time;
      this.lines.push({ number: ++this.number, time, text: withoutAnsi(text), cut });
    }
    const over = this.lines.length - MAX_LINES;
    if (over > 0) {
      this.lines.splice(0, over);
      this.dropped += over;
    }
    if (!this.timer)
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.version.value++;
      }, 60);
  }

  ended(code) {
    if (this.closed) return;
    if (code === 4401) {
      this.problem = "Your session has ended.";
      this.state.value = "error";
      return;
    }
    if (this.state.value === "connecting" || this.state.value === "open") this.state.value = "lost";
    if (this.query.follow) setTimeout(() => this.open(), RETRY * (0.8 + Math.random() * 0.4));
  }

  close() {
    this.closed = true;
    this.socket?.close();
  }
}

function compile(text) {
  if (!text) return { test: null };
  const match = /^\/(.+)\/(i?)$/.exec(text);
  try {
    return {
      test: match
        ? new RegExp(match[1], `g${match[2]}`)
        : new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi"),
    };
  } catch (error) {
    return { test: null, problem: error.message };
  }
}

function Marked({ text, pattern }) {
  if (!pattern) return text;
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (!match[0] || parts.length > 100) break;
    parts.push(text.slice(from, match.index), html`<mark>${match[0]}</mark>`);
    from = match.index + match[0].length;
  }
  return [...parts, text.slice(from)];
}

// How a line is coloured: by a word near its beginning.
function tone(text) {
  const begin = text.slice(0, 400);
  if (/\b(error|fatal|panic|exception|traceback|critical)\b/i.test(begin)) return "bad";
  return /\bwarn(ing)?\b/i.test(begin) ? "progress" : "";
}

// `doubt` is why nothing new may come though the log is followed.
export function LogTab({ pod, allowed, doubt }) {
  const { query } = route.value;
  const names = [
    ...(pod.spec.containers ?? []),
    ...(pod.spec.initContainers ?? []),
    ...(pod.spec.ephemeralContainers ?? []),
  ].map((one) => one.name);
  // While a pod is prepared, what prepares it is what says something.
  const preparing =
    pod.status?.phase === "Pending" && pod.status.initContainerStatuses?.find((one) => !one.ready)?.name;
  const container = names.includes(query.container)
    ? query.container
    : preparing || pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"] || names[0];
  const previous = query.previous === "1";
  const wanted = {
    ns: pod.metadata.namespace,
    pod: pod.metadata.name,
    container,
    previous: previous ? "1" : "",
    follow: previous ? "" : "1",
    tail: "2000",
  };
  const name = JSON.stringify(wanted);
  const log = useMemo(() => (allowed ? new Log(wanted) : null), [name, allowed]);
  useEffect(() => () => log?.close(), [log]);
  if (!allowed) return html`<${Empty}>You may not read the log of this pod.<//>`;
  return html`
    <div class="log">
      <${LogTools} log=${log} names=${names} container=${container} previous=${previous} pod=${pod} doubt=${doubt} />
      <${Lines} key=${name} log=${log} />
    </div>
  `;
}

function LogTools({ log, names, container, previous, pod, doubt }) {
  const { q = "", only = "", times = "" } = route.value.query;
  const { problem } = compile(q);
  const save = () =>
    download(
      `${pod.metadata.name}-${container}.log`,
      `${log.lines.map((line) => `${line.time} ${line.text}`).join("\n")}\n`,
    );
  return html`
    <div class="tools">
      <select aria-label="Container" onChange=${(event) => setQuery({ container: event.target.value })}>
        ${names.map(
          (one) => html`
            <option key=${one} value=${one} selected=${one === container}>
              ${one}
            </option>
          `,
        )}
      </select>
      <input
        type="search"
        class="filter"
        data-key="filter"
        placeholder="Find, or /regular expression/"
        value=${q}
        aria-label="Find in the log"
        aria-invalid=${Boolean(problem)}
        title=${problem ?? ""}
        onInput=${(event) => setQuery({ q: event.target.value })}
      />
      <button
        type="button"
        class="quiet"
        aria-pressed=${only === "1"}
        onClick=${() => setQuery({ only: only ? "" : "1" })}
      >
        Only matches
      </button>
      <button
        type="button"
        class="quiet"
        aria-pressed=${times === "1"}
        onClick=${() => setQuery({ times: times ? "" : "1" })}
      >
        Times
      </button>
      <button
        type="button"
        class="quiet"
        aria-pressed=${previous}
        title="The log of the container's previous run"
        onClick=${() => setQuery({ previous: previous ? "" : "1" })}
      >
        Previous run
      </button>
      <div class="right">
        <${LogState} log=${log} previous=${previous} doubt=${doubt} />
        <button type="button" class="quiet" onClick=${save}>
          Download
        </button>
      </div>
    </div>
  `;
}

function LogState({ log, previous, doubt }) {
  const following = doubt ? ["bad", `Nothing new may come: ${doubt}`] : ["ok", "Following"];
  const words = {
    connecting: ["progress", "Connecting…"],
    open: previous ? ["ok", "Reading"] : following,
    ended: ["done", "The log has ended"],
    lost: ["bad", "Connection lost, trying again"],
    error: ["bad", log.problem],
  };
  const [level, text] = words[log.state.value];
  return html`
    <span class="log-state" role="status">
      <span class="dot ${level}"></span>
      ${text}
    </span>
  `;
}

function Lines({ log }) {
  const { q = "", only = "", times = "" } = route.value.query;
  const box = useRef(null);
  const [top, setTop] = useState(0);
  const [follow, setFollow] = useState(true);
  const [frozen, setFrozen] = useState(null);
  const version = log.version.value;
  const pattern = useMemo(() => compile(q).test, [q]);
  const source = frozen ?? log.lines;
  const lines = useMemo(
    () =>
      only && pattern
        ? source.filter((line) => {
            pattern.lastIndex = 0;
            return pattern.test(line.text);
          })
        : source,
    [source, frozen ? 0 : version, only, pattern],
  );
  const height = box.current?.clientHeight ?? 600;
  useLayoutEffect(() => {
    if (follow && !frozen && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    setTop(scrollTop);
    setFollow(scrollHeight - scrollTop - clientHeight < HEIGHT * 2);
  };
  const first = Math.max(0, Math.floor(top / HEIGHT) - 10);
  const last = Math.min(lines.length, first + Math.ceil(height / HEIGHT) + 25);
  return html`
    <div
      class="log-box"
      ref=${box}
      onScroll=${scrolled}
      tabindex="0"
      role="log"
      aria-label="Log lines"
      aria-live="off"
    >
      ${
        !lines.length &&
        html`
          <${Empty}>
            ${log.state.value === "error" ? log.problem : source.length ? "No line matches." : "No lines yet."}
          <//>
        `
      }
      <div class="log-body" style=${{ height: `${lines.length * HEIGHT}px` }}>
        ${lines.slice(first, last).map(
          (line, i) => html`
            <div
              key=${line.number}
              class="log-line ${tone(line.text)}"
              style=${{ top: `${(first + i) * HEIGHT}px` }}
            >
              <span class="log-number">${line.number}</span>
              ${times === "1" && html`<time>${line.time.slice(11, 23)}</time>`}
              <span class="log-text">
                <${Marked} text=${line.text} pattern=${pattern} />
                ${line.cut > 0 && html`<i class="cut"> … ${bytes(line.cut)} cut</i>`}
              </span>
            </div>
          `,
        )}
      </div>
    </div>
    <footer class="status-line">
      ${count(lines.length)} ${only && pattern ? "matching lines" : "lines"}
      ${log.dropped > 0 && ` · the oldest ${count(log.dropped)} were dropped, ${count(MAX_LINES)} are kept`}
      ${
        log.lines.length && frozen
          ? ` · paused, ${count(Math.max(0, log.number - (frozen.at(-1)?.number ?? 0)))} new`
          : ""
      }
      <span class="right">
        <button
          type="button"
          class="quiet"
          aria-pressed=${Boolean(frozen)}
          onClick=${() => setFrozen(frozen ? null : [...log.lines])}
        >
          ${frozen ? "Go on" : "Pause"}
        </button>
        ${
          !follow &&
          html`
            <button type="button" class="quiet" onClick=${() => setFollow(true)}>
              To the end ↓
            </button>
          `
        }
      </span>
    </footer>
  `;
}

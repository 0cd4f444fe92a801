// What is shown, read from the URL and nowhere else: query, time, order, whether it follows. A link is the whole view.
import { namespaces, route, setQuery } from "../../router.js";
import { serverNow } from "../../socket.js";
import { quoted } from "../../logs_link.js";

export const SPANS = [
  ["15m", "Last 15 min"],
  ["1h", "Last hour"],
  ["6h", "Last 6 hours"],
  ["24h", "Last 24 hours"],
  ["3d", "Last 3 days"],
  ["7d", "Last 7 days"],
];
export const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", ""];
const UNITS = { s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

export function view() {
  const { q = "", from = "now-15m", to = "now", order = "newest", wrap = "", live = "" } = route.value.query;
  return {
    q,
    from,
    to,
    order: order === "oldest" ? "oldest" : "newest",
    wrap: wrap === "1",
    live: live === "1",
    ns: namespaces.value,
  };
}

// A moment of the URL in milliseconds: RFC 3339, `now`, `now-15m`. NaN when it is none.
export function millis(text, now = serverNow()) {
  const match = /^now(?:-(\d{1,6})([smhd]))?$/.exec(text);
  return match ? now - (match[1] ? match[1] * UNITS[match[2]] : 0) : Date.parse(text);
}

// The fixed times of this moment, so that search, counts and pages speak of the same.
export function fixed({ from, to }) {
  const now = serverNow();
  const low = millis(from, now);
  const high = millis(to, now);
  const top = Number.isNaN(high) ? now : high;
  return [Number.isNaN(low) ? top - 9e5 : Math.min(low, top), top];
}

export const stamp = (ms) => new Date(ms).toISOString();

export const zoom = (low, high) =>
  setQuery({ from: stamp(low), to: stamp(Math.max(high, low + 1)), live: "" }, { replace: false });

// Add `field:value`, or its negation, to the query. What holds an OR is put in parentheses first.
export function narrow(field, value, out = false) {
  const now = view().q.trim();
  const name = field.replace(/([\s()":*?\\])/g, "\\$1");
  const term = `${out ? "-" : ""}${name}:${quoted(value)}`;
  const rest = /\bOR\b|\|\|/.test(now) && !/^\(.*\)$/.test(now) ? `(${now})` : now;
  if (!` ${rest} `.includes(` ${term} `)) setQuery({ q: rest ? `${rest} ${term}` : term }, { replace: false });
}

// Every field of a document as [name, value], as the query language calls it.
export function fieldsOf(line) {
  const rows = [];
  const k = line.kubernetes ?? {};
  for (const name of ["level", "stream", "source"]) if (line[name]) rows.push([name, line[name]]);
  for (const name of ["namespace", "pod", "container", "node"]) if (k[name]) rows.push([name, k[name]]);
  if (k.pod_uid) rows.push(["uid", k.pod_uid]);
  if (k.container_id) rows.push(["container_id", k.container_id]);
  if (k.workload?.name) rows.push(["workload", k.workload.name], ["kind", k.workload.kind ?? ""]);
  flatten("labels", k.labels, rows);
  flatten("annotations", k.annotations, rows);
  flatten("fields", line.fields, rows);
  return rows.filter(([, value]) => value !== "").slice(0, 300);
}

function flatten(name, value, rows) {
  if (value === null || value === undefined || rows.length > 300) return;
  if (Array.isArray(value)) for (const one of value) flatten(name, one, rows);
  else if (typeof value === "object")
    for (const [key, inner] of Object.entries(value)) flatten(`${name}.${key}`, inner, rows);
  else rows.push([name, String(value)]);
}

export const nanosLater = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// Local time to the millisecond.
export function clockOf(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime())
    ? text
    : `${at.toLocaleTimeString([], { hour12: false })}.${text.slice(20, 23).padEnd(3, "0")}`;
}
export const dayOf = (text) => new Date(text).toLocaleDateString([], { month: "short", day: "2-digit" });

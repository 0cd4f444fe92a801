// How things are written: ages, sizes, levels, cells. Pure functions.

export const LEVELS = ["ok", "progress", "bad", "done", "none"];
export const LEVEL_WORDS = ["healthy", "in progress", "failing", "finished", "no health"];

// A duration in kubectl's words; the same steps as kube/clock.py.
export function human(seconds) {
  const s = Math.floor(seconds);
  if (s < 0) return "0s";
  const m = Math.floor(s / 60);
  const h = Math.floor(s / 3600);
  const d = Math.floor(s / 86400);
  const two = (whole, unit, rest, small) => `${whole}${unit}${rest ? `${rest}${small}` : ""}`;
  if (s < 120) return `${s}s`;
  if (m < 10) return two(m, "m", s % 60, "s");
  if (h < 3) return `${m}m`;
  if (h < 8) return two(h, "h", m % 60, "m");
  if (h < 48) return `${h}h`;
  if (h < 192) return two(d, "d", h % 24, "h");
  if (d < 730) return `${d}d`;
  if (d < 8 * 365) return two(Math.floor(d / 365), "y", d % 365, "d");
  return `${Math.floor(d / 365)}y`;
}

export const since = (epoch, now) => human(now / 1000 - epoch);
export const epoch = (text) => (text ? Date.parse(text) / 1000 : 0);

// Local time to the second; the full form for titles.
export function moment(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleTimeString([], { hour12: false }) : "";
}
export function fullMoment(seconds) {
  return seconds
    ? new Date(seconds * 1000)
        .toISOString()
        .replace("T", " ")
        .replace(/\.000Z$/, "Z")
    : "";
}

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  return `${value >= 100 || at === 0 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

// As quantities of Kubernetes: bytes in Ki, Mi, Gi; CPU in thousandths below one core.
export const memory = (value) =>
  bytes(value)
    .replace(/^(\d\d\.\d|\d\.0) /, (text) => `${Math.round(parseFloat(text))} `)
    .replace(/ (.)iB$/, "$1i")
    .replace(" B", "");
export const milli = (value) => (value < 1000 ? `${value}m` : cores(value));
export const cores = (milli) => (milli >= 10_000 ? Math.round(milli / 1000) : +(milli / 1000).toFixed(2)).toString();
export const count = (value) => value.toLocaleString("en-US").replace(/,/g, "\u202f");

// "a, b and c".
export const sentence = (words) =>
  words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words[0];

// Colours and titles that programs write for a terminal.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with the control character ESC
const ANSI = /\u001b\[[0-9;?]*[A-Za-z]|\u001b\][^\u0007]*\u0007/g;
export const withoutAnsi = (text) => text.replace(ANSI, "");

// A cell as text. ["@", epoch, before, after] grows with time.
export function cellText(cell, now) {
  if (cell === null || cell === undefined) return "";
  if (Array.isArray(cell) && cell[0] === "@") return `${cell[2]}${since(cell[1], now)}${cell[3]}`;
  if (typeof cell === "object") return JSON.stringify(cell);
  return String(cell);
}

const SCALES = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?$/;
const DURATION = /^(?=\d)(?:(\d+)y)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/;
const SECONDS = [31_536_000, 86_400, 3600, 60, 1];

// A quantity of Kubernetes, such as 250m, 1.5 or 10Gi, as a number; null for other text. As kube/quantity.py reads it.
export function amountOf(text) {
  const match = QUANTITY.exec(text);
  if (!match) return null;
  return Number(match[1]) * (match[2] ? SCALES[match[2]] : 10 ** Number(match[3] ?? 0));
}

// The seconds of what `human` wrote, such as 5m10s; null for other text.
export function secondsOf(text) {
  const match = DURATION.exec(text);
  return match && SECONDS.reduce((sum, scale, i) => sum + scale * Number(match[i + 1] ?? 0), 0);
}

// What a cell sorts by: numbers, quantities, shares like 3/4, ages in seconds before `now`, else text. In a column of
// `durations`, 5m are minutes.
export function sortValue(cell, { durations = false, now = 0 } = {}) {
  if (cell === null || cell === undefined) return "";
  if (Array.isArray(cell)) return cell[2] ? Number.parseFloat(cell[2]) : now / 1000 - cell[1];
  if (typeof cell === "number") return cell;
  const text = String(cell);
  const seconds = durations ? secondsOf(text) : null;
  if (seconds !== null) return seconds;
  const [, first, second] = /^([^\s/%]+)(?:\/([^\s/%]+))?(?:[\s%]|$)/.exec(text) ?? [];
  const amount = amountOf(first ?? "");
  if (amount === null) return text.toLowerCase();
  const whole = second === undefined ? null : amountOf(second);
  return whole === null ? amount : amount / (whole || 1);
}

export function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

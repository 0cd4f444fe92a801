// How things are written: ages, sizes, levels, cells. Pure functions.

export const LEVELS = ["ok", "progress", "bad", "done", "none"];
export const LEVEL_WORDS = ["healthy", "in progress", "failing", "finished", "no health"];

// A duration in kubectl's words; the same steps as cluster/clock.py.
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

// What a cell sorts by: numbers, quantities like 3/4 or 10m, times, else text.
export function sortValue(cell) {
  if (cell === null || cell === undefined) return "";
  if (Array.isArray(cell)) return cell[2] ? parseFloat(cell[2]) : -cell[1];
  if (typeof cell === "number") return cell;
  const match = /^(\d+(?:\.\d+)?)(?:\/(\d+))?(?:\s|%|$)/.exec(cell);
  return match
    ? match[2]
      ? Number(match[1]) / (Number(match[2]) || 1)
      : Number(match[1])
    : String(cell).toLowerCase();
}

export function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

// The value at a path such as "spec.template.spec", undefined where it ends early.
export function at(obj, path) {
  let value = obj;
  for (const name of path.split(".")) value = value?.[name];
  return value;
}

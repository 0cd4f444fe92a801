// An object as YAML lines, and the difference of two such texts. Pure functions.

const PLAIN = /^[\w/][\w ./@+()<>=;$%^:,-]*$/;
// What a YAML reader would take for a number, a date or a time.
const LIKE_NUMBER = /^(\d[\d_]*\.?\d*([eE][-+]?\d+)?|0[xo][\da-f]+|\d{4}-\d\d-\d\d.*|\d+(:\d+)+)$/i;
const RESERVED = /^(true|false|yes|no|on|off|null|y|n|~|\.nan|-?\.inf)$/i;
const MAX_TEXT = 20_000;

function scalar(value) {
  if (value === null || value === undefined) return "null";
  if (typeof value !== "string") return String(value);
  if (value === "") return '""';
  if (PLAIN.test(value) && !RESERVED.test(value) && !LIKE_NUMBER.test(value) && !/[ :]$|\s#|: /.test(value))
    return value;
  return JSON.stringify(value);
}

const key = (name) =>
  /^[\w./-]+$/.test(name) && !RESERVED.test(name) && !/^[\d.-]/.test(name) ? name : JSON.stringify(name);
const isEmpty = (value) => typeof value === "object" && value !== null && Object.keys(value).length === 0;

// Lines as {depth, text, path, fold}: `fold` marks the head of a block that may be folded.
export function yamlLines(value) {
  const lines = [];
  const put = (depth, text, path, fold) => lines.push({ depth, text, path, fold: Boolean(fold) });

  function block(head, text, depth, path) {
    const cut =
      text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}\n… (${text.length - MAX_TEXT} more characters)` : text;
    put(depth, `${head} |${cut.endsWith("\n") ? "" : "-"}`, path, true);
    for (const line of cut.replace(/\n$/, "").split("\n")) put(depth + 1, line, path);
  }

  function entry(head, item, depth, path) {
    if (typeof item === "string" && item.includes("\n")) block(head, item, depth, path);
    else if (item === null || typeof item !== "object") put(depth, `${head} ${scalar(item)}`, path);
    else if (isEmpty(item)) put(depth, `${head} ${Array.isArray(item) ? "[]" : "{}"}`, path);
    else {
      put(depth, head, path, true);
      walk(item, depth + (Array.isArray(item) ? 0 : 1), path);
    }
  }

  function walk(node, depth, path) {
    if (Array.isArray(node)) for (const [i, item] of node.entries()) element(item, depth, `${path}[${i}]`);
    else
      for (const [name, item] of Object.entries(node))
        entry(`${key(name)}:`, item, depth, path ? `${path}.${name}` : name);
  }

  // The first key of a mapping in a list stands beside the dash.
  function element(item, depth, path) {
    if (item === null || typeof item !== "object" || isEmpty(item)) {
      put(depth, `- ${isEmpty(item) ? (Array.isArray(item) ? "[]" : "{}") : scalar(item)}`, path);
      return;
    }
    const start = lines.length;
    walk(item, depth + 1, path);
    lines[start] = { ...lines[start], depth, text: `- ${lines[start].text}` };
  }

  walk(value, 0, "");
  return lines;
}

export const yamlText = (value) =>
  `${yamlLines(value)
    .map((line) => "  ".repeat(line.depth) + line.text)
    .join("\n")}\n`;

// The shortest edit between two lists of lines (Myers), as [op, text] with op " ", "-" or "+". Beyond `limit` edits the
// rest is shown as replaced: nobody reads a longer one, and it would take memory.
export function diffLines(a, b, limit = 1500) {
  let start = 0;
  let endA = a.length;
  let endB = b.length;
  while (start < endA && start < endB && a[start] === b[start]) start++;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const same = (from, to) => a.slice(from, to).map((text) => [" ", text]);
  return [...same(0, start), ...edits(a.slice(start, endA), b.slice(start, endB), limit), ...same(endA, a.length)];
}

function edits(a, b, limit) {
  const replaced = () => [...a.map((text) => ["-", text]), ...b.map((text) => ["+", text])];
  const most = Math.min(a.length + b.length, limit);
  const reach = new Map([[1, 0]]);
  const trace = [];
  for (let d = 0; d <= most; d++) {
    trace.push(new Map(reach));
    for (let k = -d; k <= d; k += 2) {
      let x =
        k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1))
          ? (reach.get(k + 1) ?? 0)
          : (reach.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      reach.set(k, x);
      if (x >= a.length && y >= b.length) return backtrack(a, b, trace, d);
    }
  }
  return replaced();
}

function backtrack(a, b, trace, depth) {
  const out = [];
  let x = a.length;
  let y = b.length;
  for (let d = depth; d >= 0; d--) {
    const reach = trace[d];
    const k = x - y;
    const from = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1)) ? k + 1 : k - 1;
    const px = reach.get(from) ?? 0;
    const py = px - from;
    while (x > px && y > py && x > 0 && y > 0) {
      out.push([" ", a[--x]]);
      y--;
    }
    if (d === 0) break;
    if (from === k + 1) out.push(["+", b[--y]]);
    else out.push(["-", a[--x]]);
  }
  return out.reverse();
}

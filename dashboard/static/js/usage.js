// What pods and nodes use now: the columns CPU and memory of their lists, and the sum for the overview. Asked for the
// rows on screen, or for all rows when the list is sorted by usage; see dashboard/usage.py.
import { html, signal, useEffect, useMemo } from "./lib.js";
import { clock, link, question, serverNow } from "./socket.js";
import { human, memory, milli } from "./format.js";

const EVERY = 10_000;
const RETRY = 3_000;
const PATIENCE = 20_000;
const CONNECTING = 150;
const SETTLE = 120; // milliseconds
const OLD = 60; // seconds after which a figure is said to be old
const CLOSE = 0.8;
const FULL = 0.95;
// How a share of what is there is coloured.
export const toneOf = (share) => (share > FULL ? "bad" : share > CLOSE ? "progress" : "");
const KINDS = ["pods", "nodes"];
const MEASURES = [
  { id: "cpu", title: "CPU", at: 0, show: milli, bounds: [10, 13] },
  { id: "memory", title: "Memory", at: 1, show: memory, bounds: [13, 15] },
];

const placeOf = (row) => `${row.ns}/${row.name}`;

export class Usage {
  constructor(kind, ns, sum = false) {
    this.kind = KINDS.includes(kind) ? kind : "";
    this.ns = ns;
    this.sum = sum; // only the total is wanted
    this.total = null; // [milli-cores, bytes, newest]
    this.all = false;
    this.uses = new Map(); // "namespace/name": [milli-cores, bytes, measured]
    this.refused = new Set(); // namespaces that the user may not see the usage of
    this.problem = null; // {why, text}: why there is no newer answer
    this.answered = 0; // server's time of the last answer
    this.version = signal(0);
    this.rows = []; // on the screen
    this.asked = new Set();
    this.timer = 0;
    this.columns = this.kind ? MEASURES.map((measure) => column(this, measure)) : [];
    // Rows that come onto the screen are asked for at once, but not while one scrolls.
    this.want = (rows) => {
      this.rows = rows;
      if (!this.all && rows.some((row) => !this.uses.has(placeOf(row)) && !this.asked.has(placeOf(row))))
        this.after(SETTLE);
    };
  }

  after(wait) {
    if (this.over || !this.kind) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), wait);
  }

  start() {
    this.over = false;
    this.after(0);
  }

  stop() {
    this.over = true;
    clearTimeout(this.timer);
  }

  async ask(all = this.all) {
    if (document.hidden || link.value.state !== "live") {
      this.after(document.hidden ? RETRY : CONNECTING);
      return;
    }
    const rows = all ? null : this.rows.map((row) => [row.ns, row.name]);
    if (rows && !rows.length && !this.sum) {
      this.after(RETRY);
      return;
    }
    this.asked = new Set(this.rows.map(placeOf));
    this.after(PATIENCE); // asked again if no answer comes
    try {
      this.take(await question("usage", { kind: this.kind, ns: this.ns, rows, sum: this.sum }), rows);
    } catch (error) {
      // That the connection is lost the page says as a whole.
      if (link.value.state === "live") this.problem = { why: "error", text: error.message };
    }
    this.after(this.problem ? RETRY : EVERY);
    this.version.value++;
  }

  take(found, rows) {
    this.problem = found.silent ? { why: found.silent, text: found.text } : null;
    if (this.problem) return;
    this.answered = serverNow();
    // What was asked for and is not in the answer is not measured any more.
    if (rows) for (const [ns, name] of rows) this.uses.delete(`${ns}/${name}`);
    else this.uses.clear();
    for (const [ns, name, ...use] of found.rows) this.uses.set(`${ns}/${name}`, use);
    this.refused = new Set(found.refused);
    this.total = found.total;
  }

  // Why a row has no figure.
  reason(row) {
    if (this.problem) return this.problem.text;
    if (this.refused.has(row.ns)) return `You may not list ${this.kind}.metrics.k8s.io in ${row.ns}`;
    if (!this.answered) return "Asking what it uses…";
    return this.kind === "pods"
      ? "Not measured: none of its containers ran when its node was last asked"
      : "Not measured: its kubelet does not answer";
  }
}

function column(usage, { id, title, at, show, bounds }) {
  const use = (row) => usage.uses.get(placeOf(row));
  const most = (row) => row.amounts?.[2 * at + 1] || row.amounts?.[2 * at] || 0;
  const text = (row) => `${use(row) ? show(use(row)[at]) : "–"}${most(row) ? ` / ${show(most(row))}` : ""}`;
  const bound = (row, i) => (row.amounts?.[2 * at + i] ? show(row.amounts[2 * at + i]) : "");
  const exported = [
    [title, (row) => (use(row) ? show(use(row)[at]) : "")],
    ...(usage.kind === "pods" ? [[`${title} request`, (row) => bound(row, 0)]] : []),
    [`${title} ${usage.kind === "pods" ? "limit" : "allocatable"}`, (row) => bound(row, 1)],
  ];
  return {
    id,
    title,
    bounds,
    numeric: true,
    down: true,
    text,
    exported,
    value: (row) => use(row)?.[at] ?? -1,
    tip:
      usage.kind === "pods"
        ? `${title} used now, of its limit, else of its request`
        : `${title} used now, of what is allocatable`,
    hint: (row) => hint(usage, row, { title, at, show }),
    cell: (row) => html`
      <${Bar}
        used=${use(row)?.[at]}
        amounts=${row.amounts?.slice(2 * at, 2 * at + 2) ?? [0, 0]}
        show=${show}
        old=${usage.problem || isOld(use(row))}
      />
    `,
  };
}

const isOld = (use) => use && clock.peek() / 1000 - use[2] > OLD;

function hint(usage, row, { title, at, show }) {
  const [request, limit] = row.amounts?.slice(2 * at, 2 * at + 2) ?? [0, 0];
  const use = usage.uses.get(placeOf(row));
  const bounds =
    usage.kind === "nodes"
      ? [limit && `allocatable ${show(limit)}`]
      : [request ? `requested ${show(request)}` : "nothing requested", limit ? `limit ${show(limit)}` : "no limit"];
  const now = use
    ? `${title} ${show(use[at])}, measured ${human(clock.peek() / 1000 - use[2])} ago`
    : usage.reason(row);
  return [now, ...bounds.filter(Boolean)].join("; ");
}

// The number, what it is measured by, and a bar: full at the limit; a tick shows the request.
function Bar({ used, amounts: [request, limit], show, old }) {
  const most = limit || request;
  const share = most && used !== undefined ? used / most : 0;
  const tone = limit ? toneOf(share) : "";
  const number =
    used === undefined ? html`<span class="dim">–</span>` : html`<b class=${tone && `tone ${tone}`}>${show(used)}</b>`;
  const tick =
    limit > 0 && request > 0 && request < limit && html`<s style=${{ left: `${(request / limit) * 100}%` }} />`;
  return html`
    <span class="usage ${old ? "old" : ""}">
      <span>
        ${number}
        ${most ? html`<span class="dim"> / ${show(most)}</span>` : ""}
      </span>
      ${
        most > 0 &&
        used !== undefined &&
        html`
          <span class="usage-bar ${limit ? "" : "open"}" aria-hidden="true">
            <i class=${tone} style=${{ width: `${Math.min(100, share * 100)}%` }} />
            ${tick}
          </span>
        `
      }
    </span>
  `;
}

export function useUsage(kind, ns, { all = false, sum = false }) {
  const usage = useMemo(() => new Usage(kind, ns, sum), [kind, ns]);
  useEffect(() => {
    usage.start();
    return () => usage.stop();
  }, [usage]);
  useEffect(() => {
    if (usage.all !== all) {
      usage.all = all;
      usage.after(0);
    }
  }, [usage, all]);
  return usage;
}

// How old the figures are, and why there are none: one line below a list, or beside a sum.
export function UsageState({ usage }) {
  usage.version.value;
  const now = clock.value / 1000;
  if (!usage.kind) return null;
  const newest = usage.sum
    ? (usage.total?.[2] ?? 0)
    : usage.rows.reduce((most, row) => Math.max(most, usage.uses.get(placeOf(row))?.[2] ?? 0), 0);
  if (usage.problem) {
    return html`
      <span
        class="usage-state ${usage.problem.why === "off" ? "" : "bad"}"
        role="status"
        title=${usage.problem.text}
      >
        ${usage.problem.text}
        ${newest > 0 && html` The figures are <b>${human(now - newest)}</b> old.`}
      </span>
    `;
  }
  if (!newest) return null;
  return html`
    <span class="usage-state ${now - newest > OLD ? "bad" : ""}" role="status">
      ${usage.sum ? "" : "CPU and memory "}
      ${now - newest > OLD ? "last " : ""}measured <b>${human(now - newest)}</b> ago
    </span>
  `;
}

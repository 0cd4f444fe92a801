// The YAML tab with folding, and the history tab: what changed when, by whom, and the difference of any two moments.
import { html, useEffect, useMemo, useState } from "../lib.js";
import { route, setQuery } from "../router.js";
import { question } from "../socket.js";
import { fullMoment, moment } from "../format.js";
import { diffLines, yamlLines, yamlText } from "../yaml.js";
import { Age, Copy, Empty, download } from "../parts.js";

const FOLDED = new Set(["metadata.managedFields"]);
const MAX_SHOWN = 6000;

function visible(lines, folded) {
  const out = [];
  let hideBelow = Infinity;
  let hidePath = "";
  for (const line of lines) {
    if (
      line.depth > hideBelow ||
      (hidePath && (line.path.startsWith(`${hidePath}[`) || line.path.startsWith(`${hidePath}.`)))
    )
      continue;
    hideBelow = Infinity;
    hidePath = "";
    out.push(line);
    if (line.fold && folded.has(line.path)) {
      hideBelow = line.depth;
      hidePath = line.path;
    }
  }
  return out;
}

const highlight = (text) => {
  const match = /^(- )?("[^"]*"|[\w./-]+):(.*)$/.exec(text);
  if (!match)
    return text.startsWith("- ")
      ? html`
        <span class="y-dash">- </span>
        ${text.slice(2)}
      `
      : text;
  const value = match[3];
  const kind = /^ (-?\d+(\.\d+)?|true|false|null)$/.test(value) ? "y-num" : "y-str";
  return html`
    ${match[1] && html`<span class="y-dash">- </span>`}
    <span class="y-key">${match[2]}</span>:<span class=${kind}>${value}</span>
  `;
};

export function YamlTab({ object, name }) {
  const [folded, setFolded] = useState(FOLDED);
  const lines = useMemo(() => yamlLines(object), [object]);
  const shown = useMemo(() => visible(lines, folded), [lines, folded]);
  const hidden = shown.length - MAX_SHOWN;
  const toggle = (path) =>
    setFolded((now) => {
      const next = new Set(now);
      if (!next.delete(path)) next.add(path);
      return next;
    });
  return html`
    <div class="yaml-tab">
      <div class="tools">
        <span class="dim">Credentials are masked before they leave the server.</span>
        <div class="right">
          <${Copy} text=${() => yamlText(object)} label="Copy" />
          <button
            type="button"
            class="quiet"
            onClick=${() => download(`${name}.yaml`, yamlText(object), "application/yaml")}
          >
            Download
          </button>
        </div>
      </div>
      <pre class="code yaml" tabindex="0">
        ${shown.slice(0, MAX_SHOWN).map(
          (line, i) => html`
            <div key=${i} class="line">
              ${
                line.fold
                  ? html`
                    <button
                      type="button"
                      class="fold"
                      tabindex="-1"
                      aria-label=${`${folded.has(line.path) ? "unfold" : "fold"} ${line.path}`}
                      aria-expanded=${!folded.has(line.path)}
                      onClick=${() => toggle(line.path)}
                    >
                      ${folded.has(line.path) ? "▸" : "▾"}
                    </button>
                  `
                  : html`<span class="fold"></span>`
              }
              ${"  ".repeat(line.depth)}
              ${highlight(line.text)}
              ${folded.has(line.path) && line.fold ? html`<span class="dim"> …</span>` : ""}
            </div>
          `,
        )}
        ${hidden > 0 && html`<div class="dim">… ${hidden} more lines: download to see them</div>`}
      </pre>
    </div>
  `;
}

// Without the fields that every write changes.
function withoutBookkeeping(object) {
  const metadata = { ...object.metadata };
  delete metadata.managedFields;
  delete metadata.resourceVersion;
  return { ...object, metadata };
}

// Only what differs, with three lines around it.
function hunks(parts) {
  const keep = new Set();
  parts.forEach(([op], i) => {
    if (op !== " ") for (let j = i - 3; j <= i + 3; j++) keep.add(j);
  });
  const out = [];
  parts.forEach((part, i) => {
    if (keep.has(i)) out.push({ op: part[0], text: part[1], gap: i > 0 && !keep.has(i - 1) });
  });
  return out;
}

function Diff({ before, after }) {
  const lines = useMemo(() => {
    const text = (object) => (object ? yamlText(withoutBookkeeping(object)).trimEnd().split("\n") : []);
    return hunks(diffLines(text(before), text(after)));
  }, [before, after]);
  if (!lines.length) return html`<${Empty}>No difference besides bookkeeping fields.<//>`;
  return html`
    <pre class="code diff" tabindex="0">
      ${lines.slice(0, 4000).map(
        (line, i) => html`
          ${
            line.gap &&
            html`
              <div class="gap" key=${`g${i}`}>
                ⋯
              </div>
            `
          }
          <div key=${i} class=${line.op === "+" ? "plus" : line.op === "-" ? "minus" : ""}>
            ${line.op} ${line.text}
          </div>
        `,
      )}
    </pre>
  `;
}

const WORDS = { ADDED: "created", MODIFIED: "changed", DELETED: "deleted" };

export function HistoryTab({ object, rev }) {
  const [moments, setMoments] = useState(null);
  const [error, setError] = useState("");
  useEffect(() => {
    let wanted = true;
    const read = () =>
      question("history", { key: object }).then(
        (found) => {
          if (!wanted) return;
          setMoments(found);
          setError("");
        },
        (problem) => {
          if (wanted) setError(problem.message);
        },
      );
    // An object that changes all the time is read anew at most about once a second.
    const timer = setTimeout(read, moments ? 800 : 0);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [object.join("/"), rev]);
  const { from, to } = route.value.query;
  if (error && !moments) return html`<${Empty}>The history could not be read: ${error}.<//>`;
  if (!moments) return html`<${Empty}>Reading the change log…<//>`;
  if (!moments.length) return html`<${Empty}>The log holds no change of this object.<//>`;
  const find = (text) => moments.find((one) => String(one.rev) === text);
  const after = find(to) ?? moments[0];
  const before = from === "none" ? null : (find(from) ?? moments[moments.indexOf(after) + 1] ?? null);
  const pick = (one) => setQuery({ to: one.rev, from: "" });
  return html`
    <div class="history">
      <ol class="moments" aria-label="Moments">
        ${moments.map(
          (one) => html`
            <li key=${one.rev} class="${one === after ? "after" : ""} ${one === before ? "before" : ""}">
              <button
                type="button"
                aria-pressed=${one === after}
                onClick=${() => pick(one)}
                title=${fullMoment(one.at)}
              >
                <span class="verb ${one.type}">${WORDS[one.type]}</span>
                <span>${moment(one.at)}</span>
                <span class="dim">
                  <${Age} at=${one.at} suffix=" ago" />
                </span>
                <span class="dim by">${one.by}</span>
              </button>
              <button
                type="button"
                class="quiet"
                title="Compare from this moment"
                aria-pressed=${one === before}
                onClick=${() => setQuery({ from: one.rev, to: after.rev })}
              >
                from
              </button>
            </li>
          `,
        )}
      </ol>
      <div class="compare">
        <p class="dim">
          ${before ? html`From ${moment(before.at)} (revision ${before.rev})` : "From nothing"}${" "}
          to ${moment(after.at)} (revision ${after.rev})
        </p>
        <${Diff}
          before=${before?.type === "DELETED" ? null : before?.object}
          after=${after.type === "DELETED" && before ? null : after.object}
        />
      </div>
    </div>
  `;
}

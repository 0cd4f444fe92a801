// The lines: one row each, opened to all fields. What a line says is only ever text.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../lib.js";
import { objectUrl, setQuery } from "../../router.js";
import { withoutAnsi } from "../../format.js";
import { Copy, Empty } from "../../parts.js";
import { chartsUrl } from "../../logs_link.js";
import { clockOf, dayOf, fieldsOf, narrow } from "./view.js";

const LONGEST = 2_000; // characters of a message in its row; opened it shows all
const originOf = (line) => {
  const k = line.kubernetes ?? {};
  return k.pod ? (k.container ? `${k.pod}/${k.container}` : k.pod) : (k.container ?? k.node ?? line.source);
};

export function Lines({ lines, wrap, open, onOpen, store, follow, empty, more }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    if (follow === "end" && box.current) box.current.scrollTop = box.current.scrollHeight;
    else if (follow === "begin" && box.current) box.current.scrollTop = 0;
  }, [follow ? lines : null]);
  useEffect(() => {
    // The keys j and k go from row to row; Enter opens, as on any button.
    const move = (event) => {
      const rows = [...box.current.querySelectorAll(".log-row > button")];
      const at = rows.indexOf(document.activeElement);
      const to = { next: at + 1, previous: Math.max(0, at - 1), first: 0, last: rows.length - 1 }[event.detail];
      if (to !== undefined) rows[to]?.focus();
    };
    addEventListener("binnacle:row", move);
    return () => removeEventListener("binnacle:row", move);
  }, []);
  return html`
    <div class="log-lines ${wrap ? "wrap" : ""}" ref=${box} role="feed" aria-label="Log lines" tabindex="0">
      ${!lines.length && html`<${Empty}>${empty}<//>`}
      ${lines.map(
        (line, i) => html`
          <${Row}
            key=${line._id}
            line=${line}
            day=${i === 0 || dayOf(line["@timestamp"]) !== dayOf(lines[i - 1]["@timestamp"])}
            open=${open === line._id}
            onOpen=${onOpen}
            store=${store}
          />
        `,
      )}
      ${more && lines.length > 0 && html`<p class="more-lines">${more}</p>`}
    </div>
  `;
}

function Row({ line, day, open, onOpen, store, here }) {
  const text = withoutAnsi(String(line.message ?? ""));
  const k = line.kubernetes ?? {};
  return html`
    ${day && html`<div class="log-day dim">${dayOf(line["@timestamp"])}</div>`}
    <article
      class="log-row ${line.level ?? "none"} ${open ? "open" : ""} ${here ? "here" : ""}"
      data-id=${line._id}
    >
      <button type="button" aria-expanded=${open} onClick=${() => onOpen(open ? "" : line._id)}>
        <time title=${line["@timestamp"]}>${clockOf(line["@timestamp"])}</time>
        <span class="log-level">${line.level ?? ""}</span>
        <span class="log-origin" title=${`${k.namespace ? `${k.namespace}/` : ""}${originOf(line)}`}>
          ${originOf(line)}
        </span>
        <span class="log-message">
          ${text.slice(0, LONGEST)}
          ${text.length > LONGEST ? "…" : ""}
        </span>
      </button>
      ${open && html`<${Opened} line=${line} text=${text} store=${store} />`}
    </article>
  `;
}

function Opened({ line, text, store }) {
  const k = line.kubernetes ?? {};
  const [around, setAround] = useState(null);
  const near = async (limit) => {
    const { _id, source } = line;
    const about = {
      _id,
      source,
      "@timestamp": line["@timestamp"],
      kubernetes: {
        namespace: k.namespace,
        pod: k.pod,
        pod_uid: k.pod_uid,
        container: k.container,
        node: k.node,
      },
    };
    try {
      setAround({ limit, ...(await store.ask("around", { line: about, limit })) });
    } catch (error) {
      setAround({ problem: error.message });
    }
  };
  return html`
    <div class="log-opened">
      <pre>${text}</pre>
      <p class="log-actions">
        <button type="button" class="quiet" onClick=${() => near(10)}>
          Lines around it
        </button>
        <${Copy} text=${text} label="Copy message" />
        <${Copy} text=${() => JSON.stringify(line, null, 2)} label="Copy JSON" />
        ${
          k.pod &&
          html`
            <a class="quiet" href=${objectUrl(["pods", k.namespace ?? "", k.pod])}>
              Pod
            </a>
            <a class="quiet" href=${chartsUrl(["pods", k.namespace ?? "", k.pod], line["@timestamp"])}>
              Charts then
            </a>
          `
        }
      </p>
      ${around && html`<${Around} around=${around} line=${line} near=${near} />`}
      <table class="plain log-fields">
        <tbody>
          <tr>
            <th scope="row">time</th>
            <td></td>
            <td>
              <code>${line["@timestamp"]}</code>
            </td>
          </tr>
          ${fieldsOf(line).map(
            ([name, value], i) => html`
              <tr key=${i}>
                <th scope="row">${name}</th>
                <td class="fit">
                  <${Filters} name=${name} value=${value} />
                </td>
                <td>${value.slice(0, 4_000)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}

export const Filters = ({ name, value }) => html`
  <span class="filters">
    <button
      type="button"
      class="quiet"
      title=${`Only lines with ${name} ${value.slice(0, 80)}`}
      aria-label=${`Only lines with ${name} ${value.slice(0, 80)}`}
      onClick=${() => narrow(name, value)}
    >
      +
    </button>
    <button
      type="button"
      class="quiet"
      title=${`No lines with ${name} ${value.slice(0, 80)}`}
      aria-label=${`No lines with ${name} ${value.slice(0, 80)}`}
      onClick=${() => narrow(name, value, true)}
    >
      −
    </button>
  </span>
`;

function Around({ around, line, near }) {
  const [open, setOpen] = useState("");
  if (around.problem)
    return html`
      <p class="query-problem" role="alert">
        ${around.problem}
      </p>
    `;
  const rows = [...around.before, line, ...around.after];
  return html`
    <section class="log-around" aria-label="Lines around it">
      ${rows.map(
        (one) => html`
          <${Row}
            key=${one._id}
            line=${one}
            here=${one._id === line._id}
            open=${open === one._id && one._id !== line._id}
            onOpen=${setOpen}
          />
        `,
      )}
      <p class="more-lines">
        <span class="dim">
          The same container: ${around.before.length} lines before, ${around.after.length} after.
        </span>${" "}
        ${
          around.limit < 500 &&
          html`
            <button type="button" class="quiet" onClick=${() => near(Math.min(500, around.limit * 5))}>
              More
            </button>
          `
        }
        <button
          type="button"
          class="quiet"
          onClick=${() =>
            setQuery(
              {
                q: sameContainer(line),
                from: new Date(Date.parse(line["@timestamp"]) - 300_000).toISOString(),
                to: new Date(Date.parse(line["@timestamp"]) + 300_000).toISOString(),
                live: "",
              },
              { replace: false },
            )}
        >
          Search its five minutes
        </button>
      </p>
    </section>
  `;
}

const sameContainer = ({ kubernetes: k = {}, source }) =>
  [
    ["pod", k.pod],
    ["container", k.container],
    ["source", k.pod ? "" : source],
  ]
    .filter(([, value]) => value)
    .map(([name, value]) => `${name}:"${value}"`)
    .join(" ");

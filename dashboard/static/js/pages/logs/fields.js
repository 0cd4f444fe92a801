// The fields beside the lines: each opens to its most frequent values, which filter with a click.
import { html, useEffect, useState } from "../../lib.js";
import { count } from "../../format.js";
import { Filters } from "./lines.js";
import { fieldsOf } from "./view.js";

const ALWAYS = ["level", "namespace", "workload", "pod", "container", "node", "stream", "source"];
const UNNAMED = ["uid", "container_id"];

// Those that every line may have, and those seen in the lines shown.
function names(lines) {
  const seen = new Set(ALWAYS);
  for (const line of lines.slice(0, 200))
    for (const [name] of fieldsOf(line)) if (!UNNAMED.includes(name)) seen.add(name);
  return [...seen].slice(0, 120);
}

export function Fields({ lines, asked, store }) {
  const [open, setOpen] = useState("level");
  return html`
    <aside class="log-fieldlist" aria-label="Fields">
      <h2>Fields</h2>
      <ul>
        ${names(lines).map(
          (name) => html`
            <li key=${name}>
              <button
                type="button"
                aria-expanded=${open === name}
                onClick=${() => setOpen(open === name ? "" : name)}
              >
                ${name}
              </button>
              ${open === name && html`<${TopValues} name=${name} asked=${asked} store=${store} />`}
            </li>
          `,
        )}
      </ul>
    </aside>
  `;
}

function TopValues({ name, asked, store }) {
  const [found, setFound] = useState(null);
  const about = JSON.stringify(asked);
  useEffect(() => {
    let over = false;
    if (asked)
      store.ask("top", { ...asked, field: name, limit: 8 }).then(
        (doc) => {
          if (!over) setFound(doc);
        },
        (error) => {
          if (!over) setFound({ problem: error.message });
        },
      );
    return () => {
      over = true;
    };
  }, [name, about]);
  if (!found)
    return html`
      <p class="dim" aria-busy="true">
        Counting…
      </p>
    `;
  if (found.problem) return html`<p class="dim">${found.problem}</p>`;
  const total = found.values.reduce((sum, [, n]) => sum + n, found.others);
  if (!total) return html`<p class="dim">No line has this field.</p>`;
  return html`
    <ol class="top-values">
      ${found.values.map(
        ([value, n]) => html`
          <li key=${value}>
            <span class="value" title=${value}>
              ${value.slice(0, 200)}
            </span>
            <span class="dim">${Math.max(1, Math.round((n / total) * 100))} %</span>
            <${Filters} name=${name} value=${value} />
            <i style=${{ width: `${(n / total) * 100}%` }} />
          </li>
        `,
      )}
    </ol>
    <p class="dim">
      ${found.others > 0 ? `${count(found.others)} lines with other values. ` : ""}
      ${found.sampled ? `Counted in the newest ${count(found.sampled)} lines.` : ""}
    </p>
  `;
}

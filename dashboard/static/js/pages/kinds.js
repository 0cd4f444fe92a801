// All kinds of the cluster, with how many objects each has.
import { html } from "../lib.js";
import { pageUrl, route, setQuery } from "../router.js";
import { compare, count } from "../format.js";

export function KindsPage({ kinds }) {
  const { query } = route.value;
  const q = (query.q ?? "").toLowerCase();
  const shown = (kinds ?? [])
    .filter((kind) => `${kind.kind} ${kind.storage} ${kind.short.join(" ")}`.toLowerCase().includes(q))
    .sort(
      (a, b) =>
        compare(a.group.includes("."), b.group.includes(".")) || compare(a.group, b.group) || compare(a.kind, b.kind),
    );
  return html`
    <div class="page">
      <div class="tools">
        <input
          type="search"
          class="filter"
          data-key="filter"
          placeholder="Filter kinds   /"
          value=${query.q ?? ""}
          aria-label="Filter kinds"
          onInput=${(event) => setQuery({ q: event.target.value })}
        />
      </div>
      <div class="panel">
        <table class="plain">
          <thead>
            <tr>
              <th>Kind</th>
              <th>API group</th>
              <th>Version</th>
              <th>Scope</th>
              <th>Short</th>
              <th class="numeric">Objects</th>
            </tr>
          </thead>
          <tbody>
            ${shown.map(
              (kind) => html`
                <tr key=${kind.storage}>
                  <td>
                    <a href=${pageUrl(kind.storage, { q: "" })}>${kind.kind}</a>
                  </td>
                  <td class="dim">${kind.group || "core"}</td>
                  <td class="dim">${kind.version}</td>
                  <td class="dim">${kind.namespaced ? "Namespaced" : "Cluster"}</td>
                  <td class="dim">${kind.short.join(", ")}</td>
                  <td class="numeric ${kind.count ? "" : "dim"}">${count(kind.count)}</td>
                </tr>
              `,
            )}
          </tbody>
        </table>
      </div>
    </div>
  `;
}

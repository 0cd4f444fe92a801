// An object's page: what it is, whether it is healthy and why not, its family, its events, its YAML, its history, and a
// pod's log.
import { html, useEffect, useState } from "../lib.js";
import { objectUrl, pageUrl, route } from "../router.js";
import { useDoc } from "../feeds.js";
import { keyOf, kindTitle } from "../kinds.js";
import { LEVELS, count, epoch } from "../format.js";
import { Age, Brief, Copy, Dot, Empty, Facts, Failure, Labels, Loading, ObjectLink, Panel, Some } from "../parts.js";
import { Figures, hasFigures } from "../figures.js";
import { LogsLink, chartsUrl, linesUrl } from "../logs_link.js";
import { Specifics, factsOf } from "./object_facts.js";
import { HistoryTab, YamlTab } from "./object_versions.js";
import { LogTab } from "./object_log.js";

export function ObjectPage({ kinds }) {
  const { key, query } = route.value;
  const { doc, error } = useDoc({ feed: "object", key }).value;
  // What was there is kept when the object is deleted under one's eyes.
  const [last, setLast] = useState(null);
  useEffect(() => {
    if (doc) setLast(doc);
  }, [doc]);
  if (error) return html`<${Failure} error=${error} />`;
  if (doc === undefined) return html`<${Loading} />`;
  const shown = doc ?? last;
  const tab = query.tab ?? "";
  return html`
    <div class="page object-page">
      <${Head} objectKey=${key} doc=${shown} gone=${doc === null} kinds=${kinds} />
      <${Tabs} objectKey=${key} doc=${shown} tab=${tab || (shown ? "" : "history")} />
      <${Tab} objectKey=${key} doc=${shown} tab=${tab} kinds=${kinds} />
    </div>
  `;
}

function Tab({ objectKey, doc, tab, kinds }) {
  if (tab === "history" || !doc) return html`<${HistoryTab} object=${objectKey} rev=${doc?.rev} />`;
  if (tab === "yaml") return html`<${YamlTab} object=${doc.object} name=${objectKey[2]} />`;
  if (tab === "events") return html`<${Events} rows=${doc.events} total=${doc.event_count} kinds=${kinds} />`;
  if (tab === "log" && doc.logs !== undefined) {
    // After a finding that points at the node: who would tell the log may be silent.
    const doubt = doc.why.find((finding) => finding.evidence.some((one) => one.storage === "nodes"));
    return html`<${LogTab} pod=${doc.object} allowed=${doc.logs} doubt=${doubt?.title} />`;
  }
  return html`<${Summary} doc=${doc} kinds=${kinds} objectKey=${objectKey} />`;
}

function Head({ objectKey, doc, gone, kinds }) {
  const [storage, ns, name] = objectKey;
  return html`
    <div class="object-head">
      <p class="crumbs">
        <a href=${pageUrl(storage)}>${kindTitle(storage, kinds)}</a>
        ${
          ns &&
          html`
            <span aria-hidden="true">/</span>
            <a href=${pageUrl(storage, { ns })}>${ns}</a>
          `
        }
      </p>
      <h2 class="object-name">
        <span class="titled">
          ${doc && html`<${Dot} level=${gone ? 4 : doc.level} title=${doc.reason} />`}
          <span>${name}</span>
        </span>
        ${gone && html`<span class="tag none">${doc ? "deleted" : "does not exist"}</span>`}
        ${!gone && doc.reason && html`<span class="tag ${LEVELS[doc.level]}">${doc.reason}</span>`}
        <span class="head-actions">
          <${LogsLink} object=${doc?.object} objectKey=${objectKey} />
          <${Copy} text=${name} label="Copy name" />
          <${Copy} text=${() => location.href} label="Copy link" />
        </span>
      </h2>
    </div>
  `;
}

function Tabs({ objectKey, doc, tab }) {
  const tabs = doc
    ? [
        ["", "Summary"],
        ["events", "Events", doc.event_count],
        ["yaml", "YAML"],
        ["history", "History"],
        ...(doc.logs !== undefined ? [["log", "Log"]] : []),
      ]
    : [["history", "History"]];
  return html`
    <nav class="tabs" aria-label="Parts">
      ${tabs.map(
        ([id, title, number]) => html`
          <a key=${id} href=${objectUrl(objectKey, { tab: id })} aria-current=${tab === id ? "page" : undefined}>
            ${title}
            ${number ? html`<span class="count">${count(number)}</span>` : ""}
          </a>
        `,
      )}
    </nav>
  `;
}

function Summary({ doc, kinds, objectKey }) {
  const object = doc.object;
  const meta = object.metadata;
  // Kinds that nothing happens to, such as roles, get the whole width.
  const aside =
    doc.level !== 4 || doc.owners.length + doc.children.nodes.length + doc.related.length + doc.event_count > 0;
  const shown = new Set(doc.children.nodes.map((node) => node.key.join("/")));
  const related = doc.related.filter((group) => !group.items.every((item) => shown.has(item.key.join("/"))));
  return html`
    <div class="summary">
      ${doc.why?.length > 0 && html`<${Why} findings=${doc.why} objectKey=${objectKey} />`}
      ${
        doc.cause &&
        html`
          <${Why}
            findings=${doc.cause.why}
            objectKey=${doc.cause.pod}
            of=${html`Pod <${ObjectLink} to=${doc.cause.pod} />`}
          />
        `
      }
      ${hasFigures(objectKey[0], object) && html`<${Figures} object=${objectKey} />`}
      <div class=${aside ? "columns" : ""}>
        <div>
          <${Panel} title="Facts">
            <${Facts} rows=${[...factsOf(objectKey[0], object, doc.columns), ...metaFacts(meta)]} />
            ${
              meta.labels &&
              html`
                <div class="labelled">
                  <span class="dim">Labels</span>
                  <${Labels} pairs=${meta.labels} />
                </div>
              `
            }
            ${
              meta.annotations &&
              html`
                <details class="labelled">
                  <summary class="dim">Annotations ${Object.keys(meta.annotations).length}</summary>
                  <${Labels} pairs=${meta.annotations} />
                </details>
              `
            }
          <//>
          <${Specifics} storage=${objectKey[0]} object=${object} objectKey=${objectKey} />
          <${Conditions} object=${object} />
        </div>
        ${
          aside &&
          html`
            <div>
              <${Family} doc=${doc} />
              ${related.map(
                (group) => html`
                  <${Panel} key=${group.title} title=${group.title} count=${group.total}>
                    <${Some}
                      rows=${group.items}
                      row=${(item) => html`
                        <li key=${item.key.join("/")}>
                          <${Brief} item=${item} />
                        </li>
                      `}
                      tag="ul"
                      class="tree"
                    />
                    ${
                      group.total > group.items.length &&
                      html`<p class="more dim">and ${count(group.total - group.items.length)} more</p>`
                    }
                  <//>
                `,
              )}
              <${Panel}
                title="Events"
                count=${doc.event_count || undefined}
                aside=${doc.event_count > 8 && html`<a href=${objectUrl(objectKey, { tab: "events" })}>All</a>`}
              >
                <${EventRows} rows=${doc.events.slice(0, 8)} kinds=${kinds} />
              <//>
            </div>
          `
        }
      </div>
    </div>
  `;
}

const metaFacts = (meta) => [
  ["Created", html`<${Age} at=${meta.creationTimestamp} suffix=" ago" />`],
  ["Deletion asked", meta.deletionTimestamp && html`<${Age} at=${meta.deletionTimestamp} suffix=" ago" />`],
  ["Generation", meta.generation],
  ["Finalizers", meta.finalizers?.join(", ")],
  ["UID", html`<code>${meta.uid}</code>`, "two"],
];

// `objectKey` is the pod that the findings are about, `of` names it on the page of something else.
function Why({ findings, objectKey, of }) {
  return html`
    <section class="why" aria-label="Why is it failing">
      <h2>Why${of && html`<span class="dim"> · ${of}</span>`}</h2>
      <ol>
        ${findings.map(
          (finding, i) => html`
            <li key=${i} class=${LEVELS[finding.level]}>
              <h3>
                <${Dot} level=${finding.level} />
                ${finding.title}
                ${
                  finding.at &&
                  html`
                    <span class="dim">
                      <${Age} at=${finding.at} suffix=" ago" />
                    </span>
                  `
                }
              </h3>
              <p>${finding.detail}</p>
              ${
                finding.evidence.length > 0 &&
                html`
                  <p class="evidence">
                    ${finding.evidence.map(
                      (one, j) => html`<${Evidence} key=${j} one=${one} objectKey=${objectKey} />`,
                    )}
                  </p>
                `
              }
            </li>
          `,
        )}
      </ol>
    </section>
  `;
}

function Evidence({ one, objectKey }) {
  if (one.kind === "log")
    return html`
      <a
        href=${objectUrl(objectKey, { tab: "log", container: one.container, previous: one.previous ? "1" : "" })}
      >
        ${one.previous ? "Log of the previous run" : "Log"} · ${one.container}
      </a>
    `;
  if (one.kind === "lines") return html`<a href=${linesUrl(objectKey, one.container, one.at)}>Lines up to its end</a>`;
  if (one.kind === "charts") return html`<a href=${chartsUrl(objectKey, one.at)}>Charts then</a>`;
  if (one.kind === "event")
    return html`
      <a href=${objectUrl(["events", one.namespace, one.name])} title=${one.text}>
        Event ${one.reason}
      </a>
    `;
  if (one.kind === "condition") return html`<span class="dim">condition ${one.name}</span>`;
  return html`<${ObjectLink} to=${[one.storage, one.namespace, one.name]} />`;
}

function Conditions({ object }) {
  const rows = object.status?.conditions;
  if (!Array.isArray(rows) || !rows.length) return null;
  // Of these, True is the bad news.
  const inverted = /Pressure$|Unavailable$|Failure$|Failed$|Stalled$|Disruption/;
  const tone = (one) =>
    one.status === "Unknown" ? "progress" : (one.status === "True") === inverted.test(one.type) ? "bad" : "ok";
  return html`
    <${Panel} title="Conditions">
      <table class="plain">
        <tbody>
          ${rows.map(
            (one) => html`
              <tr key=${one.type}>
                <td class="fit">
                  <span class="dot ${tone(one)}"></span>
                </td>
                <td class="fit">
                  <b>${one.type}</b>
                </td>
                <td class="fit">${one.status}</td>
                <td>
                  <span>${one.reason}</span>
                  ${one.message && html`<span class="message">${one.message}</span>`}
                </td>
                <td class="numeric dim fit">
                  <${Age} at=${epoch(one.lastTransitionTime)} />
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

function Family({ doc }) {
  if (!doc.owners.length && !doc.children.nodes.length) return null;
  const branch = (nodes) => html`
    <${Some}
      rows=${nodes}
      tag="ul"
      row=${(node) => html`
        <li key=${node.key.join("/")}>
          <${Brief} item=${node} />
          ${node.children.length > 0 && branch(node.children)}
        </li>
      `}
    />
  `;
  const below = html`
    <li class="self">
      <span class="brief">
        <${Dot} level=${doc.level} />
        <span class="kind">${doc.kind}</span>
        <b>${doc.object.metadata.name}</b>
      </span>
      ${branch(doc.children.nodes)}
    </li>
  `;
  const tree = doc.owners.reduce(
    (inner, owner) => html`
      <li>
        <${Brief} item=${owner} />
        <ul>${inner}</ul>
      </li>
    `,
    below,
  );
  return html`
    <${Panel} title="Owner and children">
      <ul class="tree">${tree}</ul>
      ${doc.children.more && html`<p class="more dim">Only the first 200 are shown.</p>`}
      ${
        doc.children.hidden > 0 &&
        html`<p class="more dim">${doc.children.hidden} more are of kinds that you may not list.</p>`
      }
    <//>
  `;
}

function EventRows({ rows, kinds, about = false }) {
  if (!rows.length) return html`<${Empty}>No events.<//>`;
  return html`
    <table class="plain events">
      <tbody>
        ${rows.map((event) => {
          const key = about && keyOf(event.about, kinds);
          return html`
            <tr key=${`${event.namespace}/${event.name}`}>
              <td class="numeric dim fit">
                <${Age} at=${epoch(event.last ?? event.first)} />
              </td>
              <td class="fit">
                <span class="dot ${event.type === "Warning" ? "bad" : "none"}" title=${event.type}></span>
              </td>
              <td class="fit">
                <b>${event.reason}</b>
                ${event.count > 1 && html`<span class="dim"> ×${event.count}</span>`}
              </td>
              <td>
                ${key && html`<${ObjectLink} to=${key} />`}
                <span class="message">${event.message}</span>
              </td>
              <td class="dim fit from">${event.from}</td>
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}

function Events({ rows, total, kinds }) {
  return html`
    <div class="panel">
      <${EventRows} rows=${rows} kinds=${kinds} />
      ${
        total > rows.length &&
        html`
          <p class="more dim">
            The newest ${rows.length} of ${count(total)}.
          </p>
        `
      }
    </div>
  `;
}

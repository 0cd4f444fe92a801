// The overview: what is wrong now, what changed lately, how full the cluster is.
import { html, useEffect, useRef, useState } from "../lib.js";
import { namespaces, pageUrl } from "../router.js";
import { useDoc } from "../feeds.js";
import { dark } from "../theme.js";
import { away } from "../health.js";
import { keyOf, kindTitle, singular } from "../kinds.js";
import { LEVELS, LEVEL_WORDS, bytes, cores, count, epoch, sentence } from "../format.js";
import { Age, Dot, Empty, Failure, Loading, ObjectLink, Panel, Some } from "../parts.js";
import { Figures } from "../figures.js";
import { UsageState, toneOf, useUsage } from "../usage.js";

const FEW = 8; // rows of a panel until one asks for all
const ORDER = [
  "nodes",
  "pods",
  "deployments.apps",
  "statefulsets.apps",
  "daemonsets.apps",
  "jobs.batch",
  "persistentvolumeclaims",
];

export function OverviewPage({ kinds }) {
  const { doc, error } = useDoc({ feed: "overview", ns: namespaces.value.join(",") }).value;
  if (error) return html`<${Failure} error=${error} />`;
  if (!doc) return html`<${Loading} />`;
  return html`
    <div class="page overview">
      <${Verdict} doc=${doc} />
      <div class="cards">
        ${ORDER.filter((storage) => doc.health[storage] && (doc.health[storage].total || ALWAYS.includes(storage))).map(
          (storage) => html`<${Card} key=${storage} storage=${storage} health=${doc.health[storage]} kinds=${kinds} />`,
        )}
      </div>
      <div class="columns">
        <div>
          <${Problems} doc=${doc} kinds=${kinds} />
          ${doc.capacity && html`<${Capacity} capacity=${doc.capacity} />`}
        </div>
        <${Changes} rows=${doc.changes} kinds=${kinds} rate=${doc.rate} />
      </div>
      <${Figures} ns=${namespaces.value.join(",")} only=${["cpu", "memory"]} />
      <div class="columns">
        <${Warnings} rows=${doc.warnings} kinds=${kinds} />
        ${doc.addons?.length > 0 && html`<${Addons} rows=${doc.addons} />`}
      </div>
    </div>
  `;
}

function Verdict({ doc }) {
  const bad = Object.values(doc.health).reduce((sum, one) => sum + one.levels[2], 0);
  const slow = doc.problem_count - bad;
  const blind = away.value.length > 0; // what failed since is not known
  const said = (level, words) => html`
    <p class="verdict ${LEVELS[level]}" role="status">
      <${Dot} level=${level} />
      ${words}
    </p>
  `;
  if (bad) {
    const failing = ORDER.map((storage) => [storage, doc.health[storage]?.levels[2]]).filter(([, number]) => number);
    return said(
      2,
      `${sentence(failing.map(([storage, number]) => `${count(number)} ${nouns(storage, number)}`))} failing`,
    );
  }
  if (slow > 0) {
    return said(1, `${count(slow)} ${slow === 1 ? "change takes" : "changes take"} longer than a minute`);
  }
  return blind ? said(1, "Nothing is known to fail") : said(0, "Nothing is failing");
}

const NOUNS = {
  nodes: "node",
  pods: "pod",
  "deployments.apps": "deployment",
  "statefulsets.apps": "stateful set",
  "daemonsets.apps": "daemon set",
  "jobs.batch": "job",
  persistentvolumeclaims: "volume claim",
};
const nouns = (storage, number) => `${NOUNS[storage]}${number === 1 ? "" : "s"}`;
const titles = { persistentvolumeclaims: "Volume claims" };
const ALWAYS = ["nodes", "pods", "deployments.apps"];

function Card({ storage, health, kinds }) {
  const [ok, progress, bad, done] = health.levels;
  const parts = [
    [ok, 0],
    [progress, 1],
    [bad, 2],
    [done, 3],
  ];
  const calm = ok ? `${count(ok)} healthy` : LEVEL_WORDS[done ? 3 : 4];
  return html`
    <a class="card ${bad ? "has-bad" : ""}" href=${pageUrl(storage)}>
      <span class="card-title">${titles[storage] ?? kindTitle(storage, kinds)}</span>
      <span class="card-number">${count(health.total)}</span>
      <span class="bar" aria-hidden="true">
        ${parts.map(
          ([number, level]) =>
            number > 0 && html`<i key=${level} class=${LEVELS[level]} style=${{ flexGrow: number }} />`,
        )}
      </span>
      <span class="card-note">
        ${bad ? html`<b class="tone bad">${count(bad)} failing</b>` : ""}
        ${progress ? html`<span class="tone progress">${count(progress)} in progress</span>` : ""}
        ${!bad && !progress && html`<span class="dim">${health.total ? calm : "none"}</span>`}
      </span>
    </a>
  `;
}

function Problems({ doc, kinds }) {
  return html`
    <${Panel} title="What is wrong now" count=${doc.problem_count ? count(doc.problem_count) : undefined}>
      ${
        doc.problems.length
          ? html`
            <table class="plain wrong">
              <${Some}
                tag="tbody"
                limit=${FEW}
                rows=${doc.problems}
                row=${(row) => html`
                  <tr key=${row.key.join("/")}>
                    <td class="fit">
                      <${Dot} level=${row.level} title=${row.reason} />
                    </td>
                    <td class="fit dim what">${singular(row.key[0], kinds)}</td>
                    <td class="name">
                      <${ObjectLink} to=${row.key} />
                      <span class="dim where">${row.key[1]}</span>
                    </td>
                    <td class="tone ${LEVELS[row.level]}">${row.reason}</td>
                    <td class="numeric dim fit">
                      <${Age} at=${row.since} />
                    </td>
                  </tr>
                `}
              />
            </table>
            ${
              doc.problem_count > doc.problems.length &&
              html`
                <p class="more dim">
                  ${count(doc.problems.length)} of ${count(doc.problem_count)} can be listed here.
                </p>
              `
            }
          `
          : html`
            <${Empty}>
              ${
                away.value.length
                  ? "Nothing that is known."
                  : "Nothing. All nodes are ready, and all that should run does."
              }
            <//>
          `
      }
    <//>
  `;
}

function Warnings({ rows, kinds }) {
  return html`
    <${Panel}
      title="Warnings"
      count=${rows.length || undefined}
      aside=${html`<a href=${pageUrl("events", { level: "2" })}>All events</a>`}
    >
      ${
        rows.length
          ? html`
            <table class="plain events">
              <${Some}
                tag="tbody"
                limit=${FEW}
                rows=${rows}
                row=${(event) => {
                  const key = keyOf(event.about, kinds);
                  return html`
                    <tr key=${`${event.namespace}/${event.name}`}>
                      <td class="numeric dim fit">
                        <${Age} at=${epoch(event.last ?? event.first)} />
                      </td>
                      <td class="fit">
                        <b>${event.reason}</b>
                        ${event.count > 1 && html`<span class="dim"> ×${event.count}</span>`}
                      </td>
                      <td>
                        <span class="dim">${event.about.kind} </span>
                        ${key ? html`<${ObjectLink} to=${key} />` : event.about.name}
                        <span class="message">${event.message}</span>
                      </td>
                    </tr>
                  `;
                }}
              />
            </table>
          `
          : html`<${Empty}>No warnings.<//>`
      }
    <//>
  `;
}

// What is used and requested, of what there is. In some namespaces: what their pods use.
function Capacity({ capacity }) {
  const ns = namespaces.value.join(",");
  const usage = useUsage(ns ? "pods" : "nodes", ns, { sum: true });
  usage.version.value;
  const [cpu, memory] = usage.total ?? [];
  return html`
    <${Panel}
      title="Capacity"
      aside=${html`<span class="dim">
          <${UsageState} usage=${usage} />
        </span>`}
    >
      <div class="meters">
        <${Meter}
          title="CPU"
          used=${cpu}
          ...${capacity.cpu}
          show=${(value) => `${cores(value)}`}
          old=${usage.problem}
        />
        <${Meter} title="Memory" used=${memory} ...${capacity.memory} show=${bytes} old=${usage.problem} />
        <${Meter} title="Pods" ...${capacity.pods} show=${count} />
      </div>
    <//>
  `;
}

// One bar: solid what is used, pale what is requested. Without `used` the solid part is what is there.
function Meter({ title, used, asked, have, show, old }) {
  const share = (value) => (have ? value / have : 0);
  const percent = (value) => (have ? ` ${Math.round(share(value) * 100)} %` : "");
  const part = (value, name) => html`
    <i
      class="${name} ${toneOf(share(value))}"
      style=${{ width: `${Math.min(100, share(value) * 100)}%` }}
    />
  `;
  const measured = used !== undefined;
  return html`
    <div>
      <div class="meter-head">
        <span>${title}</span>
        <span>
          ${
            measured &&
            html`
              <span class=${old ? "dim" : ""}>
                <b>${show(used)}</b> used<span class="dim">${percent(used)}</span>
              </span>
              ,${" "}
            `
          }
          <b>${show(asked)}</b>
          ${title !== "Pods" && " requested"}
          <span class="dim">${percent(asked)}</span> of ${show(have)}
        </span>
      </div>
      <div
        class="meter"
        role="meter"
        aria-label=${title}
        aria-valuemin="0"
        aria-valuemax=${have}
        aria-valuenow=${measured ? used : asked}
        aria-valuetext=${`${measured ? `${show(used)} used, ` : ""}${show(asked)} requested of ${show(have)}`}
      >
        ${part(asked, measured ? "asked" : "")}
        ${measured && part(used, "used")}
      </div>
    </div>
  `;
}

function Addons({ rows }) {
  return html`
    <${Panel} title="Addons">
      <table class="plain addons">
        <tbody>
          ${rows.map(
            (row) => html`
              <tr key=${row.name}>
                <td class="fit">
                  <${Dot} level=${row.level} title=${row.state} />
                </td>
                <td class="name fit">
                  <${ObjectLink} to=${row.key}>${row.name}<//>
                </td>
                <td>
                  <span class="tone ${LEVELS[row.level]}">${row.state}</span>
                  ${row.why && html`<span class="message">${row.why}</span>`}
                </td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    <//>
  `;
}

const VERBS = { ADDED: ["created", "+"], MODIFIED: ["changed", "~"], DELETED: ["deleted", "−"] };

function Changes({ rows, kinds, rate }) {
  return html`
    <${Panel} title="What changed lately" aside=${rate && html`<span class="dim">changes a second, 15 min</span>`}>
      ${rate && html`<${Chart} rate=${rate} />`}
      ${
        rows.length
          ? html`
            <table class="plain">
              <${Some}
                tag="tbody"
                limit=${FEW + 3}
                rows=${rows}
                row=${(row) => html`
                  <tr key=${row.rev}>
                    <td class="numeric dim fit">
                      <${Age} at=${row.at} />
                    </td>
                    <td class="fit">
                      <span
                        class="verb ${row.type}"
                        title=${VERBS[row.type][0]}
                        aria-label=${VERBS[row.type][0]}
                      >
                        ${VERBS[row.type][1]}
                      </span>
                    </td>
                    <td class="fit dim">${singular(row.key[0], kinds)}</td>
                    <td class="name">
                      <${ObjectLink} to=${row.key} query=${{ tab: row.type === "DELETED" ? "history" : "" }} />
                      ${row.times > 1 && html`<span class="dim"> ×${row.times}</span>`}
                      <span class="dim where">${row.key[1]}</span>
                    </td>
                  </tr>
                `}
              />
            </table>
          `
          : html`<${Empty}>No change since this dashboard started.<//>`
      }
    <//>
  `;
}

// The library of the chart is fetched when the overview is first seen.
function Chart({ rate }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [draw, setDraw] = useState(null);
  useEffect(() => {
    import("../plots.js").then((found) => setDraw(() => found.drawRate));
  }, []);
  useEffect(() => {
    if (draw) plot.current = draw(box.current, rate, plot.current);
  }, [draw, rate, dark.value]);
  useEffect(() => () => plot.current?.destroy(), []);
  return html`<div class="chart" ref=${box} role="img" aria-label="Changes a second over the last 15 minutes" />`;
}

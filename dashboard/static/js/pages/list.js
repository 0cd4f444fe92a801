// A list of objects: the kinds of its page as tabs, filters that live in the URL, and the grid.
import { html, useMemo, useState } from "../lib.js";
import { namespaces, pageUrl, route, setQuery } from "../router.js";
import { clock } from "../socket.js";
import { useList } from "../feeds.js";
import { kindTitle, objectsOf } from "../kinds.js";
import { LEVELS, LEVEL_WORDS, cellText, compare, count, sortValue } from "../format.js";
import { Failure, copyText, download, toast } from "../parts.js";
import { Grid, HEALTH } from "../grid.js";
import { UsageState, useUsage } from "../usage.js";
import { columnsOf } from "./list_columns.js";

// Where there is room, all columns show; the URL may say otherwise.
const roomy = matchMedia("(min-width: 1200px)");

// Every word must occur; a word with "-" in front must not.
export function matcher(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  return (row) => {
    row.text ??=
      `${row.ns}/${row.name} ${row.reason} ${row.cells.map((cell) => cellText(cell, 0)).join(" ")}`.toLowerCase();
    return words.every((word) =>
      word.length > 1 && word[0] === "-" ? !row.text.includes(word.slice(1)) : row.text.includes(word),
    );
  };
}

// By a column, or its reverse with "-" in front; what is equal there by namespace and name.
export function sorted(rows, columns, sort) {
  const down = sort.startsWith("-");
  const column = [HEALTH, ...columns].find((one) => one.id === sort.replace(/^-/, ""));
  const byName = (a, b) => compare(a.ns, b.ns) || compare(a.order, b.order);
  if (!column) return rows.sort(byName);
  const how = { durations: column.durations, now: clock.peek() };
  const keys = new Map(rows.map((row) => [row, column.sortKey?.(row) ?? sortValue(column.value(row), how)]));
  const sign = down ? -1 : 1;
  return rows.sort((a, b) => sign * compare(keys.get(a), keys.get(b)) || byName(a, b));
}

function useRows(list, columns, { q, level, sort }, used) {
  const version = list.version.value;
  return useMemo(() => {
    const matches = matcher(q);
    const counts = [0, 0, 0, 0, 0];
    const rows = [];
    for (const row of list.rows.values()) {
      if (matches && !matches(row)) continue;
      counts[row.level]++;
      if (level === "" || level.includes(String(row.level))) rows.push(row);
    }
    return { rows: sorted(rows, columns, sort), counts };
  }, [list, version, q, level, sort, columns, used]);
}

function badCell(column, row, text) {
  if (column.id === "status" || column.id === "phase" || column.id === "type" || column.id === "reason") {
    return row.level <= 2 ? `tone ${LEVELS[row.level]}` : "dim";
  }
  const ready = column.id === "ready" && /^(\d+)\/(\d+)$/.exec(text);
  if (ready && ready[1] !== ready[2] && row.level !== 3) return "tone progress";
  if (column.id === "namespace" || text === "<none>" || text === "<unset>") return "dim";
  return "";
}

function asText(rows, columns, comma) {
  const quote = (text) => {
    if (!comma) return text.replace(/[\t\n]/g, " ");
    return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  };
  // A cell that a spreadsheet would run as a formula is defused.
  const safe = (text) => quote(/^[=+@\t\r-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
  const fields = columns.flatMap((column) => column.exported ?? [[column.title, column.text]]);
  const lines = [fields.map(([title]) => title), ...rows.map((row) => fields.map(([, text]) => text(row)))];
  return `${lines.map((cells) => cells.map(safe).join(comma ? "," : "\t")).join("\n")}\n`;
}

export function ListPage({ entry, kinds }) {
  const { page, query } = route.value;
  const {
    q = "",
    level = "",
    sort = page === "events" ? "last-seen" : "",
    labels = "",
    wide = roomy.matches && page !== "events" ? "1" : "0",
  } = query;
  const known = kinds?.find((kind) => kind.storage === page);
  const ns = known && !known.namespaced ? "" : namespaces.value.join(",");
  const list = useList({ feed: "list", kind: page, ns, labels });
  list.version.value;
  const namespaced = page === "workloads" || known?.namespaced !== false;
  const chosen = query.wide !== undefined;
  const measured = list.rows.size > 100 || !list.loading;
  const byUsage = /^-?(cpu|memory)$/.test(sort);
  const usage = useUsage(page, ns, { all: byUsage });
  const columns = useMemo(
    () =>
      columnsOf(list, {
        wide: wide === "1",
        chosen,
        manyNamespaces: namespaced && namespaces.value.length !== 1,
        measured: usage.columns,
        events: page === "events" && (kinds ?? []),
      }),
    [list, list.columns, usage, kinds && page === "events", measured, wide, chosen, namespaced, ns],
  );
  // Figures that arrive change the order only of a list that is sorted by them.
  const used = usage.version.value;
  const { rows, counts } = useRows(list, columns, { q, level, sort }, byUsage ? used : 0);
  const title = kindTitle(page, kinds);
  const nothing = !rows.length && !list.loading;
  const onSort = (id) => {
    const [first, second] = columns.find((column) => column.id === id)?.down ? [`-${id}`, id] : [id, `-${id}`];
    setQuery({ sort: { [first]: second, [second]: "" }[sort] ?? first });
  };
  return html`
    <div class="page list-page">
      <${Tabs} page=${page} entry=${entry} kinds=${kinds} />
      <${Tools} ...${{ q, level, labels, wide, counts, list, rows, columns, title, usage }} />
      ${
        list.error
          ? html`<${Failure} error=${list.error} />`
          : html`
            <${Grid}
              columns=${columns}
              rows=${rows}
              sort=${sort}
              onSort=${onSort}
              label=${title}
              badCell=${badCell}
              onWindow=${usage.want}
              stamp=${used}
              sampleKey=${`${page}/${ns}/${list.columns.length}`}
            />
            ${nothing && html`<${Nothing} list=${list} title=${title} filtered=${q || level || labels} />`}
          `
      }
      <footer class="status-line">
        <span class="counted">
          ${list.loading && !list.error ? "Loading…" : `${count(rows.length)} of ${count(list.rows.size)}`}
        </span>
        ${
          list.total > list.rows.size &&
          !list.loading &&
          html` · the first ${count(list.rows.size)} of ${count(list.total)} are shown: choose a namespace or a label
          to see others
        `
        }
        <${UsageState} usage=${usage} />
      </footer>
    </div>
  `;
}

function Nothing({ list, title, filtered }) {
  const clear = () => setQuery({ q: "", level: "", labels: "" });
  if (filtered) {
    return html`
      <p class="empty">
        Nothing matches. <button type="button" class="link" onClick=${clear}>Clear the filters</button>
      </p>
    `;
  }
  const where = namespaces.value.length ? ` in ${namespaces.value.join(", ")}` : "";
  return html`<p class="empty">${list.rows.size ? "" : `There are no ${title.toLowerCase()}${where}.`}</p>`;
}

// The kinds of the page that the cluster has; a kind that no page has stands beside "All kinds".
function Tabs({ page, entry, kinds }) {
  const shown = entry.kinds?.filter((one) => one === "workloads" || kinds?.some((kind) => kind.storage === one));
  const others = shown ?? [entry.id];
  const all = others.includes(page) ? others : [...others, page];
  const number = (storage) =>
    storage === "workloads" ? objectsOf(entry, kinds) : (kinds?.find((kind) => kind.storage === storage)?.count ?? 0);
  return html`
    <nav class="tabs" aria-label="Kinds">
      ${all.map(
        (storage) => html`
          <a key=${storage} href=${pageUrl(storage)} aria-current=${storage === page ? "page" : undefined}>
            ${storage === "kinds" ? "All kinds" : kindTitle(storage, kinds)}
            ${storage !== "kinds" && html`<span class="count">${count(number(storage))}</span>`}
          </a>
        `,
      )}
    </nav>
  `;
}

function Tools({ q, level, labels, wide, counts, list, rows, columns, title, usage }) {
  // What is being written stays, whatever is rendered meanwhile.
  const [draft, setDraft] = useState(null);
  const toggle = (number) => setQuery({ level: level.includes(number) ? level.replace(number, "") : level + number });
  const text = async (comma) => {
    if (usage.kind) await usage.ask(true);
    return asText(rows, columns, comma);
  };
  const copy = async () => {
    await copyText(await text(false));
    toast(`${count(rows.length)} rows copied as TSV`);
  };
  const save = async () => download(`${title.toLowerCase().replace(/\s+/g, "-")}.csv`, await text(true), "text/csv");
  return html`
    <div class="tools" role="search">
      <input
        type="search"
        class="filter"
        data-key="filter"
        placeholder="Filter ${title.toLowerCase()}   /"
        value=${q}
        aria-label="Filter by text"
        spellcheck="false"
        autocomplete="off"
        onInput=${(event) => setQuery({ q: event.target.value })}
      />
      <input
        type="text"
        class="filter labels-filter"
        placeholder="Labels: app=web, tier in (a,b)"
        value=${draft ?? labels}
        aria-label="Label selector"
        spellcheck="false"
        autocomplete="off"
        onInput=${(event) => setDraft(event.target.value)}
        onChange=${(event) => {
          setQuery({ labels: event.target.value.trim() });
          setDraft(null);
        }}
      />
      <div class="chips" role="group" aria-label="Filter by health">
        ${[2, 1, 0, 3]
          .filter((number) => counts[number] || level.includes(String(number)))
          .map(
            (number) => html`
              <button
                key=${number}
                type="button"
                class="chip ${LEVELS[number]}"
                aria-pressed=${level.includes(String(number))}
                onClick=${() => toggle(String(number))}
              >
                <span class="dot ${LEVELS[number]}"></span>
                ${title === "Events" && number === 2 ? "warnings" : LEVEL_WORDS[number]}${" "}
                <b>${count(counts[number])}</b>
              </button>
            `,
          )}
      </div>
      <div class="right">
        ${
          list.columns.some((column) => column.wide) &&
          html`
            <button
              type="button"
              class="quiet"
              aria-pressed=${wide === "1"}
              title="More columns   w"
              data-key="wide"
              onClick=${() => setQuery({ wide: wide === "1" ? "0" : "1" })}
            >
              Wide
            </button>
          `
        }
        <button type="button" class="quiet" title="Copy the rows as tab-separated text" onClick=${copy}>
          TSV
        </button>
        <button type="button" class="quiet" title="Download the rows as comma-separated text" onClick=${save}>
          CSV
        </button>
      </div>
    </div>
  `;
}

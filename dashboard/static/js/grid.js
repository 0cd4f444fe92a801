// A table of any length: only the rows on screen exist. Columns are as wide as their content, measured on a sample.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { clock } from "./socket.js";
import { cellText, since, fullMoment } from "./format.js";
import { Dot, LongName } from "./parts.js";
import { objectUrl, go } from "./router.js";

const HEIGHT = 30;
const OVERSCAN = 8;
const SAMPLE = 400;
const FAILING = 2; // see LEVELS in format.js
const narrow = matchMedia("(max-width: 720px)");

// Widths in characters: the longest of a sample, within bounds; the name takes what is left. What fails is rare and
// says the longest words: it belongs to the sample.
function widths(columns, rows) {
  const step = Math.max(1, Math.floor(rows.length / SAMPLE));
  const sample = rows
    .filter((_, i) => i % step === 0)
    .concat(rows.filter((row) => row.level === FAILING).slice(0, SAMPLE));
  return columns.map((column) => {
    const longest = sample.reduce((most, row) => Math.max(most, column.text(row).length), column.title.length + 2);
    const [least, most] = column.bounds ?? [5, 38];
    return Math.min(most, Math.max(least, longest));
  });
}

// The tracks of every row, and the least width of all: rows must agree, whatever their content.
function layout(columns, sizes) {
  const pixels = sizes.map((size) => Math.round(size * 7.4 + 18));
  const tracks = columns.map((column, i) => (column.grow ? `minmax(${pixels[i]}px, 1fr)` : `${pixels[i]}px`));
  return {
    gridTemplateColumns: `22px ${tracks.join(" ")}`,
    minWidth: `${pixels.reduce((sum, one) => sum + one, 38)}px`,
  };
}

function useWindow(ref, total) {
  const [view, setView] = useState({ top: 0, height: 800 });
  useLayoutEffect(() => {
    const box = ref.current;
    const read = () =>
      setView((now) => {
        const top = Math.floor(box.scrollTop / HEIGHT);
        const height = box.clientHeight;
        return now.top === top && now.height === height ? now : { top, height };
      });
    const watch = new ResizeObserver(read);
    watch.observe(box);
    box.addEventListener("scroll", read, { passive: true });
    read();
    return () => {
      watch.disconnect();
      box.removeEventListener("scroll", read);
    };
  }, []);
  const first = Math.max(0, Math.min(view.top - OVERSCAN, total - 1));
  const last = Math.min(total, view.top + Math.ceil(view.height / HEIGHT) + OVERSCAN);
  return [first, last, view];
}

// j/k and the arrows move a cursor, Enter opens.
function useCursor(ref, rows) {
  const [cursor, setCursor] = useState(-1);
  // Keys come faster than renderings: the handler reads what is newest, not what was rendered.
  const now = useRef({ cursor: -1, rows });
  now.current.rows = rows;
  useLayoutEffect(() => {
    const move = (event) => {
      const { rows, cursor } = now.current;
      const step = { next: 1, previous: -1, first: -Infinity, last: Infinity }[event.detail];
      if (step === undefined) {
        if (event.detail === "open" && rows[cursor]) go(objectUrl(rows[cursor].key));
        return;
      }
      const to = Math.max(0, Math.min(rows.length - 1, cursor + step));
      now.current.cursor = to;
      setCursor(to);
      const box = ref.current;
      const top = to * HEIGHT;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + 3 * HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + 3 * HEIGHT - box.clientHeight;
    };
    addEventListener("binnacle:row", move);
    return () => removeEventListener("binnacle:row", move);
  }, []);
  return cursor;
}

// `columns`: {id, title, text(row), value(row), cell(row), hint(row), grow, bounds, numeric, tip, down}; `sort` is
// "column" or "-column".
export function Grid({ columns, rows, sort, onSort, label, sampleKey, badCell, onWindow, stamp }) {
  const ref = useRef(null);
  const [first, last] = useWindow(ref, rows.length);
  const cursor = useCursor(ref, rows);
  // Measured when the kind or the columns change, and again as the first hundreds of rows come in; not at every change.
  const grown = Math.min(4, Math.floor(Math.log10(rows.length + 1) * 1.5));
  const style = useMemo(
    () => layout(columns, widths(columns, rows)),
    [sampleKey, columns.map((c) => c.id).join(), grown],
  );
  useEffect(() => onWindow?.(rows.slice(first, last)), [rows, first, last, onWindow]);
  const shown = [];
  const now = Math.floor(clock.value / 1000);
  for (let i = first; i < last; i++)
    shown.push(
      html`<${Row}
        key=${rows[i].id}
        row=${rows[i]}
        index=${i}
        columns=${columns}
        layout=${style}
        on=${i === cursor}
        now=${now}
        badCell=${badCell}
        stamp=${stamp}
      />`,
    );
  return html`
    <div
      class="grid"
      ref=${ref}
      role="grid"
      aria-label=${label}
      aria-rowcount=${rows.length + 1}
      tabindex="0"
      aria-activedescendant=${cursor >= 0 ? `row-${cursor}` : undefined}
    >
      <div class="grid-head" role="row" aria-rowindex="1" style=${style}>
        <${Head} column=${HEALTH} sort=${sort} onSort=${onSort} />
        ${columns.map((column) => html`<${Head} key=${column.id} column=${column} sort=${sort} onSort=${onSort} />`)}
      </div>
      <div
        class="grid-body"
        role="rowgroup"
        style=${{ height: `${rows.length * HEIGHT}px`, minWidth: style.minWidth }}
      >
        ${shown}
      </div>
    </div>
  `;
}

// Sorted by health, what fails comes first.
export const HEALTH = {
  id: "health",
  title: "",
  tip: "Sort by health",
  value: (row) => [2, 1, 0, 3, 4].indexOf(row.level),
};

function Head({ column, sort, onSort }) {
  const active = { [column.id]: "ascending", [`-${column.id}`]: "descending" }[sort] ?? "none";
  return html`
    <span role="columnheader" aria-sort=${active} class=${column.numeric ? "numeric" : ""}>
      <button
        type="button"
        aria-label=${column.title ? undefined : column.id}
        title=${column.tip || `Sort by ${column.title}`}
        onClick=${() => onSort(column.id)}
      >
        ${column.title}
        ${
          active !== "none" &&
          html`
            <span class="arrow" aria-hidden="true">
              ${active === "ascending" ? "↑" : "↓"}
            </span>
          `
        }
      </button>
    </span>
  `;
}

// Rendered anew only when something of it has changed; `now` (seconds) lets ages grow, `stamp` is the version of what
// columns show that is not in the row.
const Row = (props) =>
  useMemo(() => drawn(props), [props.row, props.index, props.columns, props.layout, props.on, props.now, props.stamp]);

function drawn({ row, index, columns, layout: style, on, badCell }) {
  const fresh = row.fresh && performance.now() - row.fresh < 1500;
  return html`
    <div
      class="grid-row ${on ? "on" : ""} ${fresh ? "fresh" : ""}"
      role="row"
      id=${`row-${index}`}
      aria-rowindex=${index + 2}
      aria-selected=${on}
      style=${{ top: `${index * HEIGHT}px`, ...style }}
    >
      <span role="gridcell" class="health">
        <${Dot} level=${row.level} title=${row.reason} />
      </span>
      ${columns.map((column) => {
        const text = column.text(row);
        return html`
          <span
            role="gridcell"
            key=${column.id}
            class="${column.numeric ? "numeric" : ""} ${badCell?.(column, row, text) ?? ""}"
            title=${column.hint?.(row) ?? (text.length > 24 ? text : undefined)}
          >
            ${content(column, row, text)}
          </span>
        `;
      })}
    </div>
  `;
}

function content(column, row, text) {
  const key = column.link?.(row);
  if (!key) return column.cell ? column.cell(row) : text;
  return html`
    <a href=${objectUrl(key)} tabindex="-1">
      <${LongName} text=${text} />
    </a>
  `;
}

// The columns of a list: namespace and name first, then what the kind prints, then the age.
export function columnsOf(list, { wide, chosen, manyNamespaces, measured, events }) {
  // Wide columns that show by themselves, and in which nothing stands, would only take room.
  const sample = [...list.rows.values()].slice(0, 300);
  const blank = (i) => sample.every((row) => ["", "<none>", "<unset>", null].includes(row.cells[i]));
  const own = list.columns
    .map((column, i) => ({ column, i }))
    .filter(({ column, i }) => !column.wide || (wide && (chosen || !blank(i))))
    .map(({ column, i }) => ({
      wide: column.wide,
      id: column.name.toLowerCase().replace(/\s+/g, "-"),
      title: column.name,
      tip: column.description,
      numeric: column.type === "integer" || column.type === "number",
      text: (row) => cellText(row.cells[i], clock.peek()),
      value: (row) => row.cells[i],
      bounds: /message|note/i.test(column.name) ? [8, 40] : /images?|selector/i.test(column.name) ? [8, 70] : [4, 34],
    }));
  const growing = own.find((column) => column.id === "message");
  if (growing) growing.grow = true;
  const name = {
    id: "name",
    title: "Name",
    link: (row) => row.key,
    grow: !growing,
    text: (row) => row.name,
    value: (row) => row.name,
    bounds: growing ? [12, 28] : narrow.matches ? [12, 21] : [18, 36],
  };
  const ns = {
    id: "namespace",
    title: "Namespace",
    text: (row) => row.ns,
    value: (row) => row.ns,
    bounds: [9, 24],
  };
  const age = {
    id: "age",
    title: "Age",
    numeric: true,
    text: (row) => (row.created ? since(row.created, clock.peek()) : ""),
    value: (row) => -row.created,
    hint: (row) => fullMoment(row.created),
    bounds: [6, 8],
  };
  const where = manyNamespaces ? [ns] : [];
  if (events) return eventColumns(list.columns, own, { name, where, kinds: events });
  // The age stands before the wide columns, as in kubectl: it must not be the one that is pushed off the screen.
  const first = own.filter((column) => !column.wide);
  const wider = own.filter((column) => column.wide);
  const status = first.findIndex((column) => column.id === "status") + 1;
  first.splice(narrow.matches ? status : first.length, 0, ...measured);
  // On a narrow screen what an object does comes before where it is.
  return narrow.matches ? [name, ...first, ...where, age, ...wider] : [...where, name, ...first, age, ...wider];
}

// An event's own name and age say nothing: it is read by when, why, about what and how often, and leads to that object.
function eventColumns(_header, own, { name, where, kinds }) {
  const column = (id) => own.find((one) => one.id === id);
  const read = ["last-seen", "type", "reason", "object", "message"].map(column).filter(Boolean);
  const reason = column("reason");
  const object = column("object");
  if (reason) reason.link = (row) => row.key;
  if (object) object.link = (row) => about(row, object.text(row), kinds);
  if (object && narrow.matches) object.bounds = [8, 22];
  if (narrow.matches) return [reason, object, ...read, ...where].filter((one, i, all) => one && all.indexOf(one) === i);
  return [
    ...where,
    ...read,
    ...own.filter((one) => !read.includes(one)),
    ...(own.some((one) => one.wide) ? [name] : []),
  ];
}

// From "pod/web-1" to the object's key; null when its kind is not known here.
function about(row, text, kinds) {
  const [word, ...rest] = text.split("/");
  const kind = kinds.find((one) => one.kind.toLowerCase() === word);
  return kind ? [kind.storage, kind.namespaced ? row.ns : "", rest.join("/")] : null;
}

// A table of any length: only the rows on screen exist. Columns are as wide as their content, measured on a sample.
import { html, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { clock } from "./socket.js";
import { cellText, since, fullMoment } from "./format.js";
import { Dot } from "./parts.js";
import { objectUrl, go } from "./router.js";

const HEIGHT = 30, OVERSCAN = 8, SAMPLE = 400;
const narrow = matchMedia("(max-width: 720px)");

// Widths in characters: the longest of a sample, within bounds; the name takes what is left.
function widths(columns, rows) {
  const step = Math.max(1, Math.floor(rows.length / SAMPLE));
  return columns.map((column) => {
    let longest = column.title.length + 2;
    for (let i = 0; i < rows.length; i += step) longest = Math.max(longest, column.text(rows[i]).length);
    const [least, most] = column.bounds ?? [5, 38];
    return Math.min(most, Math.max(least, longest));
  });
}

// The tracks of every row, and the least width of all: rows must agree, whatever their content.
function layout(columns, sizes) {
  const pixels = sizes.map((size) => Math.round(size * 7.4 + 18));
  const tracks = columns.map((column, i) => (column.grow ? `minmax(${pixels[i]}px, 1fr)` : `${pixels[i]}px`));
  return { gridTemplateColumns: `22px ${tracks.join(" ")}`, minWidth: `${pixels.reduce((sum, one) => sum + one, 38)}px` };
}

function useWindow(ref, total) {
  const [view, setView] = useState({ top: 0, height: 800 });
  useLayoutEffect(() => {
    const box = ref.current;
    const read = () => setView((now) => {
      const top = Math.floor(box.scrollTop / HEIGHT), height = box.clientHeight;
      return now.top === top && now.height === height ? now : { top, height };
    });
    const watch = new ResizeObserver(read);
    watch.observe(box);
    box.addEventListener("scroll", read, { passive: true });
    read();
    return () => { watch.disconnect(); box.removeEventListener("scroll", read); };
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
      const box = ref.current, top = to * HEIGHT;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + 3 * HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + 3 * HEIGHT - box.clientHeight;
    };
    addEventListener("binnacle:row", move);
    return () => removeEventListener("binnacle:row", move);
  }, []);
  return cursor;
}

// `columns`: {id, title, text(row), value(row), grow, bounds, numeric, tip}; `sort` is "column" or "-column".
export function Grid({ columns, rows, sort, onSort, label, sampleKey, badCell }) {
  const ref = useRef(null);
  const [first, last] = useWindow(ref, rows.length);
  const cursor = useCursor(ref, rows);
  // Measured when the kind or the columns change, and again as the first hundreds of rows come in; not at every change.
  const grown = Math.min(4, Math.floor(Math.log10(rows.length + 1) * 1.5));
  const style = useMemo(() => layout(columns, widths(columns, rows)), [sampleKey, columns.map((c) => c.id).join(), grown]);
  const shown = [];
  for (let i = first; i < last; i++) shown.push(html`<${Row} key=${rows[i].id} row=${rows[i]} index=${i} columns=${columns}
    layout=${style} on=${i === cursor} now=${Math.floor(clock.value / 1000)} badCell=${badCell} />`);
  return html`<div class="grid" ref=${ref} role="grid" aria-label=${label} aria-rowcount=${rows.length + 1} tabindex="0"
      aria-activedescendant=${cursor >= 0 ? `row-${cursor}` : undefined}>
    <div class="grid-head" role="row" aria-rowindex="1" style=${style}>
      <span role="columnheader" aria-label="health"></span>
      ${columns.map((column) => html`<${Head} key=${column.id} column=${column} sort=${sort} onSort=${onSort} />`)}
    </div>
    <div class="grid-body" role="rowgroup" style=${{ height: `${rows.length * HEIGHT}px`, minWidth: style.minWidth }}>${shown}</div>
  </div>`;
}

function Head({ column, sort, onSort }) {
  const active = sort === column.id ? "ascending" : sort === `-${column.id}` ? "descending" : "none";
  return html`<span role="columnheader" aria-sort=${active} class=${column.numeric ? "numeric" : ""}>
    <button type="button" title=${column.tip || `Sort by ${column.title}`} onClick=${() => onSort(column.id)}>
      ${column.title}<span class="arrow" aria-hidden="true">${active === "ascending" ? "↑" : active === "descending" ? "↓" : ""}</span>
    </button></span>`;
}

function Row({ row, index, columns, layout: style, on, badCell }) {
  const fresh = row.fresh && performance.now() - row.fresh < 1500;
  return html`<div class="grid-row ${on ? "on" : ""} ${fresh ? "fresh" : ""}" role="row" id=${`row-${index}`} aria-rowindex=${index + 2}
      aria-selected=${on} style=${{ top: `${index * HEIGHT}px`, ...style }}>
    <span role="gridcell" class="health"><${Dot} level=${row.level} title=${row.reason} /></span>
    ${columns.map((column) => {
      const text = column.text(row);
      const tone = badCell?.(column, row, text) ?? "";
      return html`<span role="gridcell" key=${column.id} class="${column.numeric ? "numeric" : ""} ${tone}" title=${column.hint?.(row) ?? (text.length > 24 ? text : undefined)}>
        ${column.link ? html`<a href=${objectUrl(row.key)} tabindex="-1">${text}</a>` : text}</span>`;
    })}
  </div>`;
}

// The columns of a list: namespace and name first, then what the kind prints, then the age.
export function columnsOf(list, { wide, chosen, manyNamespaces }) {
  // Wide columns that show by themselves, and in which nothing stands, would only take room.
  const sample = [...list.rows.values()].slice(0, 300);
  const blank = (i) => sample.every((row) => ["", "<none>", "<unset>", null].includes(row.cells[i]));
  const own = list.columns.map((column, i) => ({ column, i })).filter(({ column, i }) => !column.wide || (wide && (chosen || !blank(i)))).map(({ column, i }) => ({
    id: column.name.toLowerCase().replace(/\s+/g, "-"), title: column.name, tip: column.description,
    numeric: column.type === "integer" || column.type === "number",
    text: (row) => cellText(row.cells[i], clock.peek()), value: (row) => row.cells[i],
    bounds: /message|images?|selector|note/i.test(column.name) ? [8, 70] : [4, 34],
  }));
  const growing = own.find((column) => column.id === "message");
  if (growing) growing.grow = true;
  const name = { id: "name", title: "Name", link: true, grow: !growing, text: (row) => row.name, value: (row) => row.name,
    bounds: growing ? [12, 28] : narrow.matches ? [14, 25] : [18, 64] };
  const ns = { id: "namespace", title: "Namespace", text: (row) => row.ns, value: (row) => row.ns, bounds: [9, 24] };
  const age = { id: "age", title: "Age", numeric: true, text: (row) => (row.created ? since(row.created, clock.peek()) : ""),
    value: (row) => -row.created, hint: (row) => fullMoment(row.created), bounds: [6, 8] };
  const where = manyNamespaces ? [ns] : [];
  // On a narrow screen what an object does comes before where it is.
  return narrow.matches ? [name, ...own, ...where, age] : [...where, name, ...own, age];
}

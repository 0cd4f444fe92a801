// A table of any length: only the rows on screen exist. Columns are as wide as their content, measured on a sample.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./lib.js";
import { objectUrl, go } from "./router.js";
import { clock } from "./socket.js";
import { Dot, LongName } from "./parts.js";

const HEIGHT = 30;
const OVERSCAN = 8;
const SAMPLE = 400;
const FAILING = 2; // see LEVELS in format.js

// Widths in characters: the longest of a sample, within bounds; the name takes what is left. What fails is rare and
// says the longest words: it belongs to the sample.
export function widths(columns, rows) {
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
export function layout(columns, sizes) {
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

// `columns`: {id, title, text(row), cell(row), hint(row), link(row), grow, bounds, numeric, tip}; `sort` is "column" or
// "-column".
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
  useMemo(
    () => renderRow(props),
    [props.row, props.index, props.columns, props.layout, props.on, props.now, props.stamp],
  );

function renderRow({ row, index, columns, layout: style, on, badCell }) {
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

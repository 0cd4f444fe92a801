// Lines over time, stacked by level. A click looks into a bar, dragging into a stretch; arrows and Enter do the same.
import { html, useRef, useState } from "../../lib.js";
import { count } from "../../format.js";
import { LEVELS, zoom } from "./view.js";

const WIDTH = 1000;
const HEIGHT = 64;
const title = (level) => level || "no level";
const when = (ms, interval) =>
  new Date(ms).toLocaleString([], {
    hour12: false,
    month: "short",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    ...(interval < 60_000 ? { second: "2-digit" } : {}),
  });

// Every interval from first to last, also those without lines.
function slots(doc) {
  const step = doc.interval;
  const first = Math.floor(doc.low / step) * step;
  const found = new Map(doc.buckets);
  return Array.from({ length: Math.max(1, Math.ceil((doc.high - first) / step)) }, (_, i) => {
    const levels = found.get(first + i * step) ?? {};
    return { at: first + i * step, levels, total: Object.values(levels).reduce((sum, one) => sum + one, 0) };
  });
}

export function Histogram({ doc, stale }) {
  const box = useRef(null);
  const [drag, setDrag] = useState(null);
  const [on, setOn] = useState(null);
  if (!doc) return html`<div class="histogram" aria-busy="true"></div>`;
  const bars = slots(doc);
  const most = Math.max(1, ...bars.map((bar) => bar.total));
  const wide = WIDTH / bars.length;
  const indexAt = (event) => {
    const { left, width } = box.current.getBoundingClientRect();
    return Math.max(0, Math.min(bars.length - 1, Math.floor(((event.clientX - left) / width) * bars.length)));
  };
  const look = (a, b) => zoom(bars[Math.min(a, b)].at, bars[Math.max(a, b)].at + doc.interval);
  const keys = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) setOn(Math.max(0, Math.min(bars.length - 1, (on ?? bars.length) + step)));
    else if (event.key === "Enter" && on !== null) look(on, on);
    else if (event.key === "Escape") setOn(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const bar = on === null ? null : bars[on];
  const spoken =
    `${count(doc.total)} lines over time, at most ${count(most)} in one of ${bars.length} bars. ` +
    "Arrows choose a bar, Enter looks into it.";
  return html`
    <figure class="histogram ${stale ? "old" : ""}">
      <svg
        ref=${box}
        viewBox=${`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        tabindex="0"
        role="img"
        data-total=${doc.total}
        aria-label=${spoken}
        onKeyDown=${keys}
        onBlur=${() => setOn(null)}
        onPointerDown=${(event) => {
          box.current.setPointerCapture(event.pointerId);
          setDrag([indexAt(event), indexAt(event)]);
        }}
        onPointerLeave=${() => {
          if (!drag) setOn(null);
        }}
        onPointerMove=${(event) => {
          const at = indexAt(event);
          setOn(at);
          if (drag) setDrag([drag[0], at]);
        }}
        onPointerUp=${() => {
          if (drag) {
            look(...drag);
            setDrag(null);
          }
        }}
        onPointerCancel=${() => setDrag(null)}
      >
        ${
          drag &&
          html`
            <rect
              class="drag"
              x=${Math.min(...drag) * wide}
              y="0"
              width=${(Math.abs(drag[0] - drag[1]) + 1) * wide}
              height=${HEIGHT}
            />
          `
        }
        ${bar && !drag && html`<rect class="drag" x=${on * wide} y="0" width=${wide} height=${HEIGHT} />`}
        ${bars.map(
          (one, i) =>
            one.total > 0 && html`<${Bar} key=${one.at} bar=${one} x=${i * wide} wide=${wide} most=${most} />`,
        )}
      </svg>
      <figcaption>
        <span class="dim">${when(doc.low, doc.interval)}</span>
        <span class="said" aria-live="polite">
          ${bar && summary(bar, doc.interval)}
        </span>
        <span class="dim">${when(doc.high, doc.interval)}</span>
      </figcaption>
    </figure>
  `;
}

const summary = ({ at, total, levels }, interval) =>
  [
    when(at, interval),
    `${count(total)} lines`,
    ...LEVELS.filter((level) => levels[level]).map((level) => `${title(level)} ${count(levels[level])}`),
  ].join(" · ");

function Bar({ bar, x, wide, most }) {
  let below = HEIGHT;
  return LEVELS.filter((level) => bar.levels[level]).map((level) => {
    const high = Math.max(1, (bar.levels[level] / most) * (HEIGHT - 4));
    below -= high;
    return html`
      <rect
        key=${level}
        class=${`level ${level || "none"}`}
        x=${x + wide * 0.08}
        y=${below}
        width=${wide * 0.84}
        height=${high}
      />
    `;
  });
}

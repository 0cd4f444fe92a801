// The query box, with what is wrong underlined where it is, and the time range.
import { html, useEffect, useRef, useState } from "../../lib.js";
import { setQuery } from "../../router.js";
import { SPANS, fixed, stamp, view } from "./view.js";

const REST = 450; // milliseconds without a key until what is typed is searched for

export function QueryBox({ problem }) {
  const { q } = view();
  const [text, setText] = useState(q);
  const [left, setLeft] = useState(0);
  const timer = useRef(0);
  const typed = useRef(q);
  // The URL changes by itself too: Back, a filter that was clicked.
  useEffect(() => {
    if (q !== typed.current) {
      typed.current = q;
      setText(q);
    }
  }, [q]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const say = (value) => {
    clearTimeout(timer.current);
    typed.current = value;
    setQuery({ q: value });
  };
  const input = (event) => {
    const value = event.target.value;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => say(value), REST);
  };
  const wrong = problem?.column !== null && problem?.column !== undefined && text === q ? problem : null;
  return html`
    <div class="log-query">
      <div class="query-field ${wrong ? "wrong" : ""}">
        <input
          type="text"
          data-key="filter"
          class="filter"
          spellcheck="false"
          autocomplete="off"
          maxlength="4096"
          value=${text}
          aria-label="Query"
          placeholder='timeout level:>=warn pod:web-*   "a phrase"   -not   fields.status:>=500'
          aria-invalid=${Boolean(wrong)}
          aria-describedby=${wrong ? "query-problem" : undefined}
          onInput=${input}
          onKeyDown=${(event) => {
            if (event.key === "Enter") say(event.target.value);
          }}
          onScroll=${(event) => setLeft(event.target.scrollLeft)}
        />
        ${
          wrong &&
          html`
            <div class="query-under" aria-hidden="true">
              <span style=${{ transform: `translateX(${-left}px)` }}>
                ${text.slice(0, wrong.column)}
                <u>${text.slice(wrong.column, wrong.column + wrong.length) || " "}</u>
              </span>
            </div>
          `
        }
      </div>
      ${
        wrong &&
        html`
          <p id="query-problem" class="query-problem" role="alert">
            <b>Column ${wrong.column + 1}:</b> ${wrong.message}
          </p>
        `
      }
    </div>
  `;
}

const local = (ms) => {
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 19);
};

export function TimeRange() {
  const { from, to } = view();
  const span = to === "now" && SPANS.find(([id]) => from === `now-${id}`)?.[0];
  const [low, high] = fixed({ from, to });
  const choose = (event) => {
    const id = event.target.value;
    if (id === "custom") setQuery({ from: stamp(low), to: stamp(high), live: "" }, { replace: false });
    else setQuery({ from: id === "15m" ? "" : `now-${id}`, to: "" }, { replace: false });
  };
  const set = (name) => (event) => {
    const at = Date.parse(event.target.value);
    if (!Number.isNaN(at)) setQuery({ from: stamp(low), to: stamp(high), live: "", [name]: stamp(at) });
  };
  return html`
    <span class="time-range">
      <select aria-label="Time" onChange=${choose} value=${span || "custom"}>
        ${SPANS.map(
          ([id, title]) => html`
            <option key=${id} value=${id} selected=${id === span}>
              ${title}
            </option>
          `,
        )}
        <option value="custom" selected=${!span}>
          From … until …
        </option>
      </select>
      ${
        !span &&
        html`
          <input type="datetime-local" step="1" aria-label="From" value=${local(low)} onChange=${set("from")} />
          <span class="dim">–</span>
          <input type="datetime-local" step="1" aria-label="Until" value=${local(high)} onChange=${set("to")} />
        `
      }
    </span>
  `;
}

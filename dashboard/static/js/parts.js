// Small pieces that every page uses.
import { html, signal, useState } from "./lib.js";
import { objectUrl } from "./router.js";
import { clock } from "./socket.js";
import { LEVELS, LEVEL_WORDS, epoch, fullMoment, since } from "./format.js";

export const Dot = ({ level, title }) => html`
  <span
    class="dot ${LEVELS[level] ?? "none"}"
    role="img"
    aria-label=${title ?? LEVEL_WORDS[level] ?? ""}
    title=${title ?? LEVEL_WORDS[level]}
  />
`;

// An age that grows. `at` in epoch seconds or RFC 3339.
export function Age({ at, suffix = "" }) {
  const seconds = typeof at === "string" ? epoch(at) : at;
  if (!seconds) return html`<span class="dim">–</span>`;
  return html`
    <time title=${fullMoment(seconds)}>
      ${since(seconds, clock.value)}
      ${suffix}
    </time>
  `;
}

export const ObjectLink = ({ to, children, query }) => html`<a href=${objectUrl(to, query)}>${children ?? to[2]}</a>`;

// One object of a tree or a group: level, kind, name, reason.
export const Brief = ({ item, kind = true }) => html`
  <span class="brief">
    <${Dot} level=${item.level} title=${item.reason} />
    ${kind && html`<span class="kind">${item.kind}</span>`}
    ${
      item.key
        ? html`
          <${ObjectLink} to=${item.key}>
            <${LongName} text=${item.key[2]} />
          <//>
        `
        : html`<s title="it does not exist any more">${item.name}</s>`
    }
    ${item.reason && item.level !== 0 && html`<span class="reason ${LEVELS[item.level]}">${item.reason}</span>`}
    ${
      item.created &&
      html`
        <span class="dim">
          <${Age} at=${item.created} />
        </span>
      `
    }
  </span>
`;

export function Panel({ title, count, children, aside, class: extra = "" }) {
  return html`
    <section class="panel ${extra}" aria-label=${title}>
      <header>
        <h2>${title}</h2>
        ${count !== undefined && html`<span class="count">${count}</span>`}
        <div class="aside">${aside}</div>
      </header>
      ${children}
    </section>
  `;
}

export const Loading = () => html`<div class="page loading" aria-busy="true">Loading…</div>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export function Failure({ error }) {
  const title = error.code === 403 ? "You may not see this" : error.code === 404 ? "Not found" : "That did not work";
  return html`
    <div class="failure" role="alert">
      <h2>${title}</h2>
      <p>${error.message}</p>
    </div>
  `;
}

// Copies text; says so for a moment. Falls back to a hidden field where the page is not served securely.
export function Copy({ text, label = "Copy", title }) {
  const [done, setDone] = useState(false);
  const run = async () => {
    await copyText(typeof text === "function" ? text() : text);
    setDone(true);
    setTimeout(() => setDone(false), 1200);
  };
  return html`
    <button type="button" class="quiet" title=${title ?? label} onClick=${run}>
      ${done ? "Copied" : label}
    </button>
  `;
}

export async function copyText(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      /* not allowed here: the way below works */
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "offscreen";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

export function download(name, text, type = "text/plain") {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// The first rows of a list or a table's body, and a button for the others.
export function Some({ rows, row, tag, limit = 10, ...rest }) {
  const [all, setAll] = useState(false);
  const few = !all && rows.length > limit + 2;
  const more =
    few &&
    html`
      <button type="button" class="quiet more-rows" onClick=${() => setAll(true)}>
        Show ${rows.length - limit} more
      </button>
    `;
  return html`
    <${tag} ...${rest}>
      ${(few ? rows.slice(0, limit) : rows).map(row)}
      ${
        more &&
        (tag === "tbody"
          ? html`
            <tr key="more">
              <td colspan="9">${more}</td>
            </tr>
          `
          : html`<li key="more">${more}</li>`)
      }
    <//>
  `;
}

// A name too long for its place loses its middle: the end tells pods apart.
const TAIL = 6;
const SHORT = 18;
export const LongName = ({ text }) =>
  text.length < SHORT
    ? text
    : html`
      <span class="long-name" title=${text}>
        <span>${text.slice(0, -TAIL)}</span>
        <span>${text.slice(-TAIL)}</span>
      </span>
    `;

// Key and value pairs; empty values are left out.
// A third element of a row, "two" or "all", is how many columns it takes.
export const Facts = ({ rows }) => html`
  <dl class="facts">
    ${rows
      .filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== "<none>")
      .map(
        ([name, value, room]) => html`
          <div key=${name} class=${room}>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `,
      )}
  </dl>
`;

export const Labels = ({ pairs }) => html`
  <span class="labels">
    ${Object.entries(pairs ?? {}).map(
      ([name, value]) => html`
        <span class="label" key=${name} title=${`${name}=${value}`}>
          <b>${name}</b>
          ${value && html`<i>${String(value).slice(0, 200)}</i>`}
        </span>
      `,
    )}
  </span>
`;

// A short remark at the bottom of the page that goes by itself.
const remark = signal("");
let remarkTimer = 0;

export function toast(message) {
  remark.value = message;
  clearTimeout(remarkTimer);
  remarkTimer = setTimeout(() => {
    remark.value = "";
  }, 1800);
}

export const Toast = () => html`
  <div class="toast" role="status" aria-live="polite" hidden=${!remark.value}>
    ${remark.value}
  </div>
`;

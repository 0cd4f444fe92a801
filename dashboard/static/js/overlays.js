// The two things that lie over the page: search by name over all kinds, and the list of keys.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./lib.js";
import { go, objectUrl, pageUrl } from "./router.js";
import { question } from "./socket.js";
import { KEYS, overlay } from "./keys.js";
import { PAGES } from "./pages.js";

function Dialog({ label, children }) {
  const ref = useRef(null);
  useLayoutEffect(() => {
    const before = document.activeElement;
    ref.current.showModal();
    return () => before?.focus?.();
  }, []);
  const close = () => {
    overlay.value = null;
  };
  return html`
    <dialog
      ref=${ref}
      aria-label=${label}
      onClose=${close}
      onCancel=${close}
      onClick=${(event) => {
        if (event.target === ref.current) close();
      }}
    >
      <div class="dialog">${children}</div>
    </dialog>
  `;
}

const Help = () => html`
  <${Dialog} label="Keys">
    <h2>Keys</h2>
    <dl class="keys">
      ${KEYS.map(
        ([key, what]) => html`
          <div key=${key}>
            <dt>
              ${key.split(/\s+/).map((one) => html`<kbd>${one}</kbd>`)}
            </dt>
            <dd>${what}</dd>
          </div>
        `,
      )}
    </dl>
  <//>
`;

function useFound(text) {
  const [found, setFound] = useState([]);
  useEffect(() => {
    const pages = PAGES.filter(({ key, title }) => text && key && title.toLowerCase().includes(text.toLowerCase())).map(
      ({ id, title }) => ({ page: id, title }),
    );
    setFound((now) => (text ? [...pages, ...now.filter((one) => one.key)] : []));
    if (!text.trim()) return undefined;
    let wanted = true;
    const timer = setTimeout(
      () =>
        question("find", { text }).then(
          (hits) => wanted && setFound([...pages, ...hits]),
          () => wanted && setFound(pages),
        ),
      60,
    );
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [text]);
  return found;
}

function Find() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = useFound(text);
  const url = (hit) => (hit.key ? objectUrl(hit.key) : pageUrl(hit.page));
  const open = (hit) => {
    if (hit) {
      overlay.value = null;
      go(url(hit));
    }
  };
  const key = (event) => {
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, found.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") open(found[at]);
    else return;
    event.preventDefault();
  };
  return html`
    <${Dialog} label="Find">
      <input
        class="find"
        type="text"
        role="combobox"
        aria-expanded=${found.length > 0}
        aria-controls="found"
        aria-label="Find by name"
        autofocus
        placeholder="Find by name, kind or namespace"
        value=${text}
        spellcheck="false"
        autocomplete="off"
        onInput=${(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown=${key}
      />
      <ul id="found" class="found" role="listbox">
        ${found.map(
          (hit, i) => html`
            <li
              key=${hit.key?.join() ?? hit.page}
              role="option"
              aria-selected=${i === at}
              class=${i === at ? "on" : ""}
            >
              <a
                href=${url(hit)}
                tabindex="-1"
                onClick=${() => {
                  overlay.value = null;
                }}
              >
                <span class="kind">${hit.kind ?? "Page"}</span>
                <b>${hit.key?.[2] ?? hit.title}</b>
                <span class="dim">${hit.key?.[1] ?? ""}</span>
              </a>
            </li>
          `,
        )}
        ${text && !found.length && html`<li class="dim">Nothing has that name.</li>`}
      </ul>
    <//>
  `;
}

export const Overlays = () =>
  overlay.value === "help" ? html`<${Help} />` : overlay.value === "find" ? html`<${Find} />` : null;

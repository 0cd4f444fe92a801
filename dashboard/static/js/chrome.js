// What frames every page: navigation, the state of the connection, namespace, theme, account.
import { html, signal, useEffect, useRef, useState } from "./lib.js";
import { ROOT, TICKET, USER, namespaces, pageUrl, route, setQuery } from "./router.js";
import { age, clock, hello, link } from "./socket.js";
import { cycleTheme, theme } from "./theme.js";
import { PARTS, away } from "./health.js";
import { objectsOf } from "./kinds.js";
import { count, human } from "./format.js";
import { overlay } from "./keys.js";
import { PAGES, pageOf } from "./pages.js";

export const menu = signal(false); // whether a narrow screen shows the navigation

export function Sidebar({ kinds, health, stale }) {
  const current = pageOf(route.value.page);
  return html`
    <aside class="sidebar ${menu.value ? "open" : ""} ${stale ? "stale" : ""}">
      <a class="brand" href=${pageUrl("overview", { ns: "" })}>
        <img src=${new URL("../img/mark.svg", import.meta.url).href} alt="" width="22" height="22" />
        Binnacle
      </a>
      <nav aria-label="Pages">
        ${PAGES.filter((page) => page.key && inCluster(page, kinds)).map(
          (page) => html`
            <a
              key=${page.id}
              href=${pageUrl(page.id)}
              aria-current=${page === current ? "page" : undefined}
              title=${`${page.title}   g ${page.key}`}
              onClick=${() => {
                menu.value = false;
              }}
            >
              ${page.title}
              <span class="count">${page.kinds && kinds ? count(objectsOf(page, kinds)) : ""}</span>
            </a>
          `,
        )}
      </nav>
      <div class="sidebar-foot">
        <${Behind} health=${health} />
        <${Account} />
      </div>
    </aside>
  `;
}

// A page of kinds is left out where the cluster has none of them.
const inCluster = (page, kinds) =>
  !page.kinds || !kinds || page.kinds.some((storage) => kinds.some((kind) => kind.storage === storage));

// Each part with a light, and its age when it is gone.
function Behind({ health }) {
  if (!health) return null;
  // Without a connection nothing is known of them.
  const live = link.value.state === "live";
  const parts = PARTS.filter(([name]) => health[name] && health[name].why !== "none is configured");
  const light = (up) => {
    if (!live || up === null) return "none";
    return up ? "ok" : "bad";
  };
  const gone = (age) => html`<span class="tone bad">${age === null ? "not seen" : human(age)}</span>`;
  return html`
    <ul class="behind">
      ${parts.map(([name, title]) => {
        const { up, age, why } = health[name];
        return html`
          <li key=${name} title=${why}>
            <span class="dot ${light(up)}"></span>
            ${title}
            ${live && up === false && gone(age)}
          </li>
        `;
      })}
    </ul>
  `;
}

function Account() {
  return html`
    <form class="account" method="post" action=${new URL("logout", ROOT).href}>
      <input type="hidden" name="ticket" value=${TICKET} />
      <span title=${USER}>${USER}</span>
      <button type="submit" class="quiet">
        Log out
      </button>
    </form>
  `;
}

// The one place that says whether what is shown is live, and how old it is if not.
export function Live() {
  const { state, health, attempt } = link.value;
  const stale =
    health && state === "live"
      ? Object.entries(health).find(([name, part]) => part.up === false && name === "store")
      : null;
  if (state === "live" && !stale)
    return html`
      <span class="live ok" role="status" title="Changes arrive as they happen">
        <span class="dot ok"></span>Live
      </span>
    `;
  const seconds = stale ? stale[1].age : age.value;
  const words = state === "connecting" ? "Connecting…" : stale ? `Not live: ${stale[1].why}` : "Connection lost";
  return html`
    <span class="live bad" role="status">
      <span class="dot bad"></span>
      ${words}
      ${state !== "connecting" && html` · <b>${human(seconds)} old</b>`}
      ${attempt > 1 && html`<span class="dim"> · trying again</span>`}
    </span>
  `;
}

// A banner for what must not be overlooked.
export function Banner() {
  const { state, health } = link.value;
  clock.value;
  if (state === "loggedout")
    return html`
      <div class="banner bad" role="alert">
        Your session has ended.${" "}
        <a href=${location.href} target="_self">
          Log in again
        </a>
      </div>
    `;
  if (state === "nocluster")
    return html`
      <div class="banner bad" role="alert">
        There is no cluster of this name here.
      </div>
    `;
  if (state === "lost")
    return html`
      <div class="banner bad" role="alert">
        Connection lost. What you see is <b>${human(age.value)}</b> old; it will come back by itself.
      </div>
    `;
  if (health?.store.up === false)
    return html`
      <div class="banner bad" role="alert">
        The cluster's store cannot be read. What you see is <b>${human(health.store.age)}</b> old.
      </div>
    `;
  if (!away.value.length) return null;
  const [[name, title, so], ...others] = away.value;
  const { why, age: since } = health[name];
  return html`
    <div class="banner warn" role="alert">
      ${title} ${why.replace(/ \(.*\)$/, "")}
      ${since !== null ? html` (<b>${human(since)}</b>)` : ""}
      : ${so}.${others.length > 0 && html` Also away: ${others.map(([, other]) => other).join(", ")}.`}
    </div>
  `;
}

export function Topbar({ names, title }) {
  const clusters = hello.value?.clusters ?? [];
  return html`
    <header class="topbar">
      <button
        type="button"
        class="quiet burger"
        aria-label="Menu"
        aria-expanded=${menu.value}
        onClick=${() => {
          menu.value = !menu.value;
        }}
      >
        ☰
      </button>
      ${
        clusters.length > 1 &&
        html`
          <select
            class="cluster"
            aria-label="Cluster"
            onChange=${(event) => {
              location.href = new URL(`c/${event.target.value}/`, ROOT).href;
            }}
          >
            ${clusters.map(
              (one) => html`
                <option key=${one} selected=${one === route.value.cluster}>
                  ${one}
                </option>
              `,
            )}
          </select>
        `
      }
      <h1>${title}</h1>
      <${Namespaces} names=${names ?? []} />
      <div class="right">
        <${Live} />
        <button
          type="button"
          class="quiet"
          title="Find anything   Ctrl K"
          onClick=${() => {
            overlay.value = "find";
          }}
        >
          Find <kbd>Ctrl K</kbd>
        </button>
        <button
          type="button"
          class="quiet icon"
          title=${`Theme: ${theme.value}   d`}
          aria-label=${`Theme: ${theme.value}`}
          onClick=${cycleTheme}
        >
          ${{ system: "◐", light: "☀", dark: "☾" }[theme.value]}
        </button>
        <button
          type="button"
          class="quiet icon"
          title="Keys   ?"
          aria-label="Keys"
          onClick=${() => {
            overlay.value = "help";
          }}
        >
          ?
        </button>
      </div>
    </header>
  `;
}

// Namespaces: a list with a filter; several may be chosen with Ctrl or the boxes.
function Namespaces({ names }) {
  const [open, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const box = useRef(null);
  useEffect(() => {
    const away = (event) => {
      if (!box.current?.contains(event.target)) setOpen(false);
    };
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, []);
  useEffect(() => {
    if (open) box.current.querySelector("input[type=search]")?.focus();
  }, [open]);
  const chosen = namespaces.value;
  const shown = ["", ...names.filter((name) => name.includes(text))].slice(0, 300);
  const pick = (name, more) => {
    const others = more ? chosen.filter((one) => one !== name) : [];
    const next = more && chosen.includes(name) ? others : [...others, name];
    setQuery({ ns: name ? next.join(",") : "" }, { replace: false });
    if (!more) {
      setOpen(false);
      setText("");
    }
  };
  const key = (event) => {
    if (event.key === "ArrowDown") setAt(Math.min(at + 1, shown.length - 1));
    else if (event.key === "ArrowUp") setAt(Math.max(at - 1, 0));
    else if (event.key === "Enter") pick(shown[at] ?? shown[1] ?? "", event.ctrlKey);
    else if (event.key === "Escape") {
      setOpen(false);
      event.stopPropagation();
    } else return;
    event.preventDefault();
  };
  const label = ["All namespaces", chosen[0]][chosen.length] ?? `${chosen.length} namespaces`;
  return html`
    <div class="namespaces" ref=${box}>
      <button
        type="button"
        class="pick"
        data-key="namespace"
        aria-haspopup="listbox"
        aria-expanded=${open}
        title="Namespace   n"
        onClick=${() => {
          setOpen(!open);
          setAt(0);
        }}
      >
        ${label}
        <span aria-hidden="true">▾</span>
      </button>
      ${
        open &&
        html`
          <div class="popup">
            <input
              type="search"
              placeholder="Namespace"
              aria-label="Find a namespace"
              value=${text}
              onInput=${(event) => {
                setText(event.target.value);
                setAt(event.target.value ? 1 : 0);
              }}
              onKeyDown=${key}
            />
            <ul role="listbox" aria-label="Namespaces" aria-multiselectable="true">
              ${shown.map(
                (name, i) => html`
                  <li
                    key=${name}
                    role="option"
                    class=${i === at ? "on" : ""}
                    aria-selected=${name ? chosen.includes(name) : !chosen.length}
                    onClick=${(event) => pick(name, event.ctrlKey || event.metaKey)}
                  >
                    <span>${name || "All namespaces"}</span>
                    ${
                      name &&
                      html`
                        <input
                          type="checkbox"
                          tabindex="-1"
                          aria-label=${`also ${name}`}
                          checked=${chosen.includes(name)}
                          onClick=${(event) => {
                            event.stopPropagation();
                            pick(name, true);
                          }}
                        />
                      `
                    }
                  </li>
                `,
              )}
            </ul>
          </div>
        `
      }
    </div>
  `;
}

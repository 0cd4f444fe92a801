// Where the page begins.
import { html, render, useEffect } from "./lib.js";
import { route } from "./router.js";
import { link, start } from "./socket.js";
import { useDoc } from "./feeds.js";
import { Toast } from "./parts.js";
import { shownAt } from "./pages.js";
import { Banner, Sidebar, Topbar, menu } from "./chrome.js";
import { startKeys } from "./keys.js";
import { Overlays } from "./overlays.js";

const KINDS = { feed: "kinds" };

function App() {
  const { doc } = useDoc(KINDS).value;
  const kinds = doc?.kinds;
  const { Page, entry, title, heading, id } = shownAt(route.value, kinds);
  useEffect(() => {
    document.title = `${title} · Binnacle`;
  }, [title]);
  const stale = link.value.state !== "live" || link.value.health?.store.up === false;
  const closeMenu = () => {
    menu.value = false;
  };
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <${Sidebar} kinds=${kinds} health=${link.value.health} stale=${stale} />
    ${menu.value && html`<div class="veil" onClick=${closeMenu} />`}
    <div class="frame">
      <${Topbar} names=${doc?.namespaces} title=${heading} />
      <${Banner} />
      <main id="main" class=${stale ? "stale" : ""}>
        <${Page} key=${id} entry=${entry} kinds=${kinds} />
      </main>
    </div>
    <${Overlays} />
    <${Toast} />
  `;
}

start();
startKeys();
const place = document.getElementById("app");
place.textContent = "";
render(html`<${App} />`, place);

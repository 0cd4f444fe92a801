// Where the page begins.
import { html, render, useEffect } from "./lib.js";
import { route } from "./router.js";
import { link, start } from "./socket.js";
import { useDoc } from "./feeds.js";
import { Banner, Sidebar, Topbar, menu } from "./chrome.js";
import { Overlays } from "./overlays.js";
import { startKeys } from "./keys.js";
import { groupOf, kindTitle } from "./nav.js";
import { ListPage, KindsPage } from "./pages_list.js";
import { OverviewPage } from "./pages_overview.js";
import { ObjectPage } from "./pages_object.js";
import { Toast } from "./toast.js";
import { Lazy } from "./lazy.js";

const KINDS = { feed: "kinds" };

function App() {
  const { page, key } = route.value;
  const { doc } = useDoc(KINDS).value;
  const kinds = doc?.kinds;
  const title = key
    ? key[2]
    : page === "overview"
      ? "Overview"
      : page === "logs"
        ? "Logs"
        : groupOf(page).kinds?.includes(page)
          ? groupOf(page).title
          : page === "kinds"
            ? "All kinds"
            : kindTitle(page, kinds);
  useEffect(() => {
    document.title = `${title} · Binnacle`;
  }, [title]);
  const stale = link.value.state !== "live" || link.value.health?.store.up === false;
  const body = key
    ? html`<${ObjectPage} key=${key.join("/")} object=${key} kinds=${kinds} />`
    : page === "logs"
      ? html`<${Lazy} load=${() => import("./lazy/logs_page.js")} name="LogsPage" />`
      : page === "overview"
        ? html`<${OverviewPage} kinds=${kinds} />`
        : page === "kinds"
          ? html`<${KindsPage} kinds=${kinds} />`
          : html`<${ListPage} key=${page} kinds=${kinds} />`;
  return html`
    <a class="skip" href="#main">
      Skip to the content
    </a>
    <${Sidebar} kinds=${kinds} health=${link.value.health} stale=${stale} />
    ${
      menu.value &&
      html`
        <div
          class="veil"
          onClick=${() => {
            menu.value = false;
          }}
        />
      `
    }
    <div class="frame">
      <${Topbar} names=${doc?.namespaces} title=${key ? groupOf(page).title : title} />
      <${Banner} />
      <main id="main" class=${stale ? "stale" : ""}>
        ${body}
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

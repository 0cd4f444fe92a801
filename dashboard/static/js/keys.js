// The keyboard: single keys for what one does often, `g` and a letter to go somewhere. Never while one types.
import { signal } from "./lib.js";
import { go, pageUrl, route, setQuery } from "./router.js";
import { cycleTheme } from "./theme.js";
import { PAGES } from "./pages.js";

export const overlay = signal(null); // "help", "find" or null
let chord = 0;

export const KEYS = [
  ["/", "filter this page"],
  ["Ctrl K", "find anything by name"],
  ["j  k", "next, previous row"],
  ["Enter", "open the row"],
  ["u", "up: from an object to its list"],
  ["[  ]", "previous, next tab"],
  ["w", "more columns"],
  ["n", "choose the namespace"],
  ["d", "light, dark, as the system"],
  ["Esc", "leave a field, close this"],
  ["?", "these keys"],
  ...PAGES.filter(({ key }) => key).map(({ key, title }) => [`g ${key}`, `go to ${title}`]),
];

const row = (what) => dispatchEvent(new CustomEvent("binnacle:row", { detail: what }));
const press = (name) => {
  const found = document.querySelector(`[data-key="${name}"]`);
  found?.focus();
  if (found?.matches("button")) found.click();
  found?.select?.();
};

function tab(step) {
  const tabs = [...document.querySelectorAll(".tabs a")];
  const now = tabs.findIndex((link) => link.getAttribute("aria-current") === "page");
  tabs[now + step]?.click();
}

const ACTIONS = {
  "/": () => press("filter"),
  "?": () => {
    overlay.value = "help";
  },
  j: () => row("next"),
  k: () => row("previous"),
  ArrowDown: () => row("next"),
  ArrowUp: () => row("previous"),
  Home: () => row("first"),
  End: () => row("last"),
  Enter: () => row("open"),
  "[": () => tab(-1),
  "]": () => tab(1),
  w: () => press("wide"),
  n: () => press("namespace"),
  d: cycleTheme,
  u: () => {
    if (route.value.key) go(pageUrl(route.value.page));
  },
  g: () => {
    chord = performance.now();
  },
};

function handle(event) {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    event.preventDefault();
    overlay.value = "find";
    return;
  }
  if (event.key === "Escape") return leave(event);
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  if (chord && performance.now() - chord < 1500) {
    chord = 0;
    const page = PAGES.find(({ key }) => key === event.key);
    if (page) {
      event.preventDefault();
      go(pageUrl(page.id));
      return;
    }
  }
  // On a link or a button, Enter does what it always does.
  if (event.key === "Enter" && event.target.closest?.("a, button, summary")) return;
  if (/^(Arrow|Home|End)/.test(event.key) && !event.target.closest?.(".grid") && document.querySelector(".log")) return;
  const action = ACTIONS[event.key];
  if (!action || overlay.value) return;
  event.preventDefault();
  action();
}

// Escape closes what lies over the page, else it empties and leaves a field.
function leave(event) {
  if (overlay.value) {
    overlay.value = null;
    return;
  }
  if (!event.target.matches?.("input")) return;
  if (event.target.value && event.target.type === "search") setQuery({ q: "" });
  event.target.blur();
}

export const startKeys = () => addEventListener("keydown", handle);

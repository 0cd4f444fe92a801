// Light, dark or as the system says: the choice, and the colours of the page for what draws by itself.
import { computed, signal } from "./lib.js";

const THEMES = ["system", "light", "dark"];

export const theme = signal(document.documentElement.dataset.theme ?? "system");

const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(system.matches);
system.addEventListener("change", () => {
  systemDark.value = system.matches;
});

// Whether the page is dark now: what draws by itself draws anew when this changes.
export const dark = computed(() => (theme.value === "system" ? systemDark.value : theme.value === "dark"));

export function cycleTheme() {
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
  theme.value = next;
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    /* private mode: the choice lasts as long as the page */
  }
}

// What a custom property of the style sheet, such as "--accent", is now. Asked of an element that uses it: the property
// itself is still `light-dark(…)`, which no canvas reads.
const probe = document.createElement("i");
probe.hidden = true;

export function colour(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

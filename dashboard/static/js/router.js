// The URL is the view: page, object, tab, namespace, filters and sorting are read from it and written to it, nowhere
// else.
import { signal, computed } from "./lib.js";

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

// The root is given relative to the page that was loaded: it holds under any prefix that a proxy adds.
export const ROOT = new URL(meta("root") || "./", location.href);
export const TICKET = meta("ticket");
export const USER = meta("user");

// The page at the root of a cluster: the only one whose address has no name.
export const HOME = "overview";

const here = signal(location.href);
addEventListener("popstate", () => {
  here.value = location.href;
});

// What is no proper encoding is taken as it is written: it names nothing, and the page says so.
const decoded = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

function parse(href) {
  const url = new URL(href);
  const parts = url.pathname.slice(ROOT.pathname.length).split("/").filter(Boolean).map(decoded);
  const query = Object.fromEntries(url.searchParams);
  const [, cluster = "local", page = HOME, ns, name] = parts[0] === "c" ? parts : [];
  const key = name === undefined ? null : [page, ns === "-" ? "" : ns, name];
  return { cluster, page, key, query };
}

export const route = computed(() => parse(here.value));
export const namespaces = computed(() => (route.value.query.ns ?? "").split(",").filter(Boolean));

function build(path, query) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  // Commas and slashes read better as they are, and are allowed in a query.
  url.search = url.search.replace(/%2C/g, ",").replace(/%2F/g, "/");
  return url.href;
}

const segment = (text) => encodeURIComponent(text).replace(/%3A/g, ":");

// The address of a list page. The chosen namespace goes along.
export function pageUrl(page, query = {}) {
  const { cluster, query: now } = route.value;
  return build(`c/${segment(cluster)}/${page === HOME ? "" : segment(page)}`, { ns: now.ns, ...query });
}

// The address of an object's page; `key` is [storage, namespace, name].
export function objectUrl(key, query = {}) {
  const { cluster, query: now } = route.value;
  const [storage, ns, name] = key;
  return build(`c/${segment(cluster)}/${segment(storage)}/${ns ? segment(ns) : "-"}/${segment(name)}`, {
    ns: now.ns,
    ...query,
  });
}

export function go(href, { replace = false } = {}) {
  if (href === location.href) return;
  history[replace ? "replaceState" : "pushState"](null, "", href);
  here.value = location.href;
}

// Change some of the query's fields. Typing in a filter replaces the entry: Back leads to the page before.
export function setQuery(fields, { replace = true } = {}) {
  const { query } = route.value;
  const url = new URL(location.href);
  go(build(url.origin + url.pathname, { ...query, ...fields }), { replace });
}

// Links inside the dashboard do not load a page anew.
addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (
    !link ||
    event.defaultPrevented ||
    event.button ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  )
    return;
  if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(`${ROOT.pathname}c/`)) return;
  event.preventDefault();
  go(link.href);
  if (!link.hash) document.querySelector("main")?.scrollTo(0, 0);
});

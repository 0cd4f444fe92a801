// Every page, once. What is added here is in the navigation, has its key, is found by its title, and opens.
//
//   id     its part of the address: c/CLUSTER/ID
//   title  in the navigation, above the page, in the browser's tab
//   key    pressed after `g`, it leads here
//   Page   the component that shows it, given {entry, kinds}; `later(…)` fetches its scripts when it is first opened
//   kinds  a page without a component of its own lists objects: these kinds are its tabs, its id is the first
//
// A kind that nobody placed here is listed under "All kinds".
import { html, useEffect, useState } from "./lib.js";
import { HOME } from "./router.js";
import { kindTitle } from "./kinds.js";
import { Loading } from "./parts.js";
import { KindsPage } from "./pages/kinds.js";
import { ListPage } from "./pages/list.js";
import { ObjectPage } from "./pages/object.js";
import { OverviewPage } from "./pages/overview.js";

export const PAGES = [
  { id: HOME, title: "Overview", key: "o", Page: OverviewPage },
  { id: "nodes", title: "Nodes", key: "n", kinds: ["nodes"] },
  { id: "pods", title: "Pods", key: "p", kinds: ["pods"] },
  {
    id: "workloads",
    title: "Workloads",
    key: "w",
    kinds: [
      "workloads",
      "deployments.apps",
      "statefulsets.apps",
      "daemonsets.apps",
      "jobs.batch",
      "cronjobs.batch",
      "replicasets.apps",
      "replicationcontrollers",
    ],
  },
  {
    id: "services",
    title: "Services",
    key: "s",
    kinds: [
      "services",
      "endpoints",
      "endpointslices.discovery.k8s.io",
      "ingresses.networking.k8s.io",
      "ingressclasses.networking.k8s.io",
      "networkpolicies.networking.k8s.io",
    ],
  },
  {
    id: "configmaps",
    title: "Configuration",
    key: "c",
    kinds: [
      "configmaps",
      "secrets",
      "horizontalpodautoscalers.autoscaling",
      "poddisruptionbudgets.policy",
      "resourcequotas",
      "limitranges",
      "priorityclasses.scheduling.k8s.io",
    ],
  },
  {
    id: "persistentvolumeclaims",
    title: "Storage",
    key: "v",
    kinds: [
      "persistentvolumeclaims",
      "persistentvolumes",
      "storageclasses.storage.k8s.io",
      "volumeattachments.storage.k8s.io",
      "csinodes.storage.k8s.io",
      "csidrivers.storage.k8s.io",
    ],
  },
  {
    id: "serviceaccounts",
    title: "Access",
    key: "a",
    kinds: [
      "serviceaccounts",
      "roles.rbac.authorization.k8s.io",
      "rolebindings.rbac.authorization.k8s.io",
      "clusterroles.rbac.authorization.k8s.io",
      "clusterrolebindings.rbac.authorization.k8s.io",
    ],
  },
  { id: "events", title: "Events", key: "e", kinds: ["events"] },
  { id: "logs", title: "Logs", key: "l", Page: later(() => import("./pages/logs/page.js"), "LogsPage") },
  { id: "kinds", title: "All kinds", key: "k", Page: KindsPage },
];

// The page of an address's part: its own, or the one among whose tabs it is.
export const pageOf = (part) =>
  PAGES.find(({ id, kinds }) => id === part || kinds?.includes(part)) ?? PAGES.find(({ id }) => id === "kinds");

// What an address shows; where `id` differs, a page begins anew. `heading` stands above it.
export function shownAt({ page: part, key }, kinds) {
  const entry = pageOf(part);
  if (key) return { Page: ObjectPage, entry, title: key[2], heading: entry.title, id: key.join("/") };
  const title = entry.id === part || entry.kinds ? entry.title : kindTitle(part, kinds);
  return { Page: (entry.id === part && entry.Page) || ListPage, entry, title, heading: title, id: part };
}

// A component whose module is fetched when it is first shown. What fails is left to early/reload.js.
function later(load, name) {
  return function Later(props) {
    const [found, setFound] = useState(null);
    useEffect(() => {
      let over = false;
      const say = (what) => {
        if (!over) setFound(what);
      };
      load().then(
        (module) => say({ Page: module[name] }),
        (error) => {
          say({ problem: error.message });
          throw error;
        },
      );
      return () => {
        over = true;
      };
    }, []);
    if (!found) return html`<${Loading} />`;
    if (!found.problem) return html`<${found.Page} ...${props} />`;
    return html`
      <div class="failure" role="alert">
        <h2>This page could not be fetched</h2>
        <p>${found.problem}</p>
        <button type="button" class="quiet" onClick=${() => location.reload()}>Load it again</button>
      </div>
    `;
  };
}

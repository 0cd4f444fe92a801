import { PAGES, pageOf, shownAt } from "../../../dashboard/static/js/pages.js";
import { kindTitle, objectsOf } from "../../../dashboard/static/js/kinds.js";
import { equal, test } from "./harness.js";

const KINDS = [
  { storage: "pods", kind: "Pod", count: 3 },
  { storage: "deployments.apps", kind: "Deployment", count: 2 },
  { storage: "replicasets.apps", kind: "ReplicaSet", count: 9 },
  { storage: "ingressclasses.networking.k8s.io", kind: "IngressClass", count: 1 },
  { storage: "networkpolicies.networking.k8s.io", kind: "NetworkPolicy", count: 1 },
  { storage: "endpoints", kind: "Endpoints", count: 1 },
  { storage: "widgets.example.com", kind: "Widget", count: 4 },
];

test("names, keys and kinds of pages are their own", () => {
  for (const values of [
    PAGES.map(({ id }) => id),
    PAGES.map(({ key }) => key),
    PAGES.flatMap(({ kinds }) => kinds ?? []),
  ]) {
    equal(values.length, new Set(values).size, String(values));
  }
  for (const { id, title, key, Page, kinds } of PAGES) {
    equal([Boolean(title), key.length, Boolean(Page) || kinds[0] === id], [true, 1, true], id);
  }
});

test("what an address shows", () => {
  const shown = (page, key = null) => {
    const { Page, entry, title, heading, id } = shownAt({ page, key }, KINDS);
    return [Page.name, entry.id, title, heading, id];
  };
  equal(shown("overview"), ["OverviewPage", "overview", "Overview", "Overview", "overview"]);
  equal(shown("pods"), ["ListPage", "pods", "Pods", "Pods", "pods"]);
  equal(shown("replicasets.apps"), ["ListPage", "workloads", "Workloads", "Workloads", "replicasets.apps"]);
  equal(shown("kinds"), ["KindsPage", "kinds", "All kinds", "All kinds", "kinds"]);
  equal(shown("widgets.example.com"), ["ListPage", "kinds", "Widgets", "Widgets", "widgets.example.com"]);
  equal(shown("pods", ["pods", "a", "web"]), ["ObjectPage", "pods", "web", "Pods", "pods/a/web"]);
  equal(pageOf("no.such.kind").id, "kinds");
});

test("kinds in people's words", () => {
  const titles = [...KINDS.map(({ storage }) => storage), "workloads", "unknown.example.com"].map((one) =>
    kindTitle(one, KINDS),
  );
  equal(titles, [
    ...["Pods", "Deployments", "ReplicaSets", "IngressClasses", "NetworkPolicies", "Endpoints", "Widgets"],
    ...["All workloads", "unknown"],
  ]);
});

test("a page counts its first tab; workloads all but the ReplicaSets", () => {
  equal(
    ["pods", "workloads", "services"].map((id) => objectsOf(pageOf(id), KINDS)),
    [3, 2, 0],
  );
  equal(objectsOf(pageOf("pods"), undefined), 0);
});

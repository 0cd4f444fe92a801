import * as router from "../../../dashboard/static/js/router.js";
import { equal, test } from "./harness.js";

const at = (path) => {
  router.go(new URL(path, router.ROOT).href);
  return router.route.value;
};

test("an address is a cluster, a page, an object and a query", () => {
  for (const [path, wanted] of [
    ["", { cluster: "local", page: "overview", key: null, query: {} }],
    ["c/local/", { cluster: "local", page: "overview", key: null, query: {} }],
    ["c/west/pods?ns=a,b&q=x", { cluster: "west", page: "pods", key: null, query: { ns: "a,b", q: "x" } }],
    ["c/west/pods/default/web-1", { cluster: "west", page: "pods", key: ["pods", "default", "web-1"], query: {} }],
    [
      "c/local/nodes/-/n1?tab=yaml",
      { cluster: "local", page: "nodes", key: ["nodes", "", "n1"], query: { tab: "yaml" } },
    ],
    ["c/local/pods/a/%E0%A4%A", { cluster: "local", page: "pods", key: ["pods", "a", "%E0%A4%A"], query: {} }],
  ]) {
    equal(at(path), wanted, path);
  }
});

test("addresses that are built lead back to what they were built of", () => {
  at("c/west/pods?ns=a,b&q=left+behind");
  for (const key of [
    ["pods", "default", "web-1"],
    ["clusterroles.rbac.authorization.k8s.io", "", "system:node"],
    ["things.example.com", "a", "odd name/with % and ü"],
  ]) {
    at("c/west/pods?ns=a,b&q=left+behind");
    router.go(router.objectUrl(key, { tab: "yaml", empty: "" }));
    equal(router.route.value, { cluster: "west", page: key[0], key, query: { ns: "a,b", tab: "yaml" } });
  }
  router.go(router.pageUrl("services", { level: "2" }));
  equal([router.route.value.page, router.route.value.query], ["services", { ns: "a,b", level: "2" }]);
  router.go(router.pageUrl(router.HOME));
  equal(new URL(location.href).pathname, new URL("c/west/", router.ROOT).pathname);
});

test("commas and slashes stay readable, and empty fields go", () => {
  at("c/local/pods?q=old");
  router.setQuery({ ns: "a,b", q: "", from: "x/y" });
  equal(location.search, "?ns=a,b&from=x/y");
  equal(router.namespaces.value, ["a", "b"]);
});

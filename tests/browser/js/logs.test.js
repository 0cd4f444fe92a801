import { go, ROOT, route } from "../../../dashboard/static/js/router.js";
import { quoted } from "../../../dashboard/static/js/logs_link.js";
import {
  fieldsOf,
  fixed,
  millis,
  nanosLater,
  narrow,
  stamp,
  view,
} from "../../../dashboard/static/js/pages/logs/view.js";
import { equal, test } from "./harness.js";

const NOW = Date.parse("2023-11-14T22:13:20Z");
const at = (query) => go(new URL(`c/local/logs?${new URLSearchParams(query)}`, ROOT).href);

test("moments of the URL", () => {
  equal(
    ["now", "now-90s", "now-15m", "now-2h", "now-1d"].map((text) => NOW - millis(text, NOW)),
    [0, 90e3, 9e5, 72e5, 864e5],
  );
  equal(millis("2023-11-14T22:13:20Z", NOW), NOW);
  equal(
    ["now-1y", "yesterday", ""].map((text) => Number.isNaN(millis(text, NOW))),
    [true, true, true],
  );
});

test("a time range ends after it begins", () => {
  equal(fixed({ from: "2023-11-14T22:00:00Z", to: "2023-11-14T22:13:20Z" }).map(stamp), [
    "2023-11-14T22:00:00.000Z",
    "2023-11-14T22:13:20.000Z",
  ]);
  const [low, high] = fixed({ from: "2023-11-15T00:00:00Z", to: "2023-11-14T22:13:20Z" });
  equal([low, high], [NOW, NOW]);
  equal(fixed({ from: "nonsense", to: "2023-11-14T22:13:20Z" }), [NOW - 9e5, NOW]);
});

test("the view is the URL, with what is usual where it says nothing", () => {
  at({});
  equal(view(), { q: "", from: "now-15m", to: "now", order: "newest", wrap: false, live: false, ns: [] });
  at({ q: "level:error", ns: "a,b", order: "oldest", live: "1", wrap: "1" });
  equal(
    [view().q, view().ns, view().order, view().live, view().wrap],
    ["level:error", ["a", "b"], "oldest", true, true],
  );
});

test("a click narrows the query, once, and keeps what an OR means", () => {
  const after = (q, ...filter) => {
    at({ q });
    narrow(...filter);
    return route.value.query.q;
  };
  equal(after("", "pod", "web-1"), "pod:web-1");
  equal(after("timeout", "pod", "web-1", true), "timeout -pod:web-1");
  equal(after("pod:web-1 x", "pod", "web-1"), "pod:web-1 x");
  equal(after("a OR b", "level", "error"), "(a OR b) level:error");
  equal(after("(a OR b)", "level", "error"), "(a OR b) level:error");
  equal(after("", "fields.a b", 'say "hi"'), 'fields.a\\ b:"say \\"hi\\""');
});

test("values are quoted unless they are plain words", () => {
  equal(["web-1", "a/b.c", "two words", 'a"b\\c', "-x", "a:b"].map(quoted), [
    ...["web-1", "a/b.c", '"two words"', '"a\\"b\\\\c"', '"-x"', '"a:b"'],
  ]);
});

test("every field of a line has the name by which it is asked for", () => {
  const line = {
    level: "error",
    source: "container",
    kubernetes: {
      ...{ namespace: "default", pod: "web-1", pod_uid: "u", workload: { name: "web", kind: "Deployment" } },
      labels: { app: "web" },
    },
    fields: { http: { status: 500, tags: ["a", "b"] }, empty: "", none: null },
  };
  equal(fieldsOf(line), [
    ["level", "error"],
    ["source", "container"],
    ["namespace", "default"],
    ["pod", "web-1"],
    ["uid", "u"],
    ["workload", "web"],
    ["kind", "Deployment"],
    ["labels.app", "web"],
    ["fields.http.status", "500"],
    ["fields.http.tags", "a"],
    ["fields.http.tags", "b"],
  ]);
  const wide = { fields: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, i])) };
  equal(fieldsOf(wide).length, 300);
});

test("times are compared to the nanosecond", () => {
  equal(nanosLater("2023-11-14T22:13:20.000000001Z", "2023-11-14T22:13:20.000000002Z"), -1);
});

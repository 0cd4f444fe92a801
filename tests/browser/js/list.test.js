import { layout, widths } from "../../../dashboard/static/js/grid.js";
import { columnsOf } from "../../../dashboard/static/js/pages/list_columns.js";
import { matcher, sorted } from "../../../dashboard/static/js/pages/list.js";
import { List } from "../../../dashboard/static/js/feeds.js";
import { equal, test } from "./harness.js";

const COLUMNS = [
  { name: "Ready", type: "string", wide: false, description: "" },
  { name: "Status", type: "string", wide: false, description: "" },
  { name: "Capacity", type: "string", wide: false, description: "" },
  { name: "IP", type: "string", wide: true, description: "" },
];

// A list as its feed fills it: rows are [name, level, …cells].
function listOf(rows, columns = COLUMNS) {
  const list = new List();
  const raw = rows.map(([name, level, ...cells]) => [0, "default", name, level, "", 1, cells]);
  list.fill({ first: true, columns, storages: ["pods"], rows: raw, total: rows.length, more: false });
  return list;
}

const ids = (columns) => columns.map(({ id }) => id);
const plain = { wide: false, chosen: false, manyNamespaces: true, measured: [], events: false };
const names = (rows) => rows.map(({ name }) => name);

test("columns: namespace and name first, then the kind's, then the age, then the wide ones", () => {
  const list = listOf([["web-1", 0, "1/1", "Running", "", "10.0.0.1"]]);
  equal(ids(columnsOf(list, plain)), ["namespace", "name", "ready", "status", "capacity", "age"]);
  equal(ids(columnsOf(list, { ...plain, wide: true, manyNamespaces: false })), [
    "name",
    "ready",
    "status",
    "capacity",
    "age",
    "ip",
  ]);
});

test("a wide column in which nothing stands shows only when it was asked for", () => {
  const list = listOf([["web-1", 0, "1/1", "Running", "", "<none>"]]);
  equal(ids(columnsOf(list, { ...plain, wide: true })).includes("ip"), false);
  equal(ids(columnsOf(list, { ...plain, wide: true, chosen: true })).includes("ip"), true);
});

test("sorted by a column of quantities, by health, by name", () => {
  const list = listOf([
    ["pv-10", 0, "", "", "10Gi", ""],
    ["pv-9", 2, "", "", "1Ti", ""],
    ["pv-1", 1, "", "", "128Mi", ""],
  ]);
  const columns = columnsOf(list, plain);
  const by = (sort) => names(sorted([...list.rows.values()], columns, sort));
  equal(by("capacity"), ["pv-1", "pv-10", "pv-9"]);
  equal(by("-capacity"), ["pv-9", "pv-10", "pv-1"]);
  equal(by("health"), ["pv-9", "pv-1", "pv-10"]);
  equal(by("name"), ["pv-1", "pv-9", "pv-10"]);
  equal(by(""), ["pv-1", "pv-9", "pv-10"]);
  equal(by("no-such-column"), ["pv-1", "pv-9", "pv-10"]);
});

test("every word must occur, and none with a dash in front", () => {
  const [row] = listOf([["web-1", 0, "1/1", "Running", "", "10.0.0.1"]]).rows.values();
  equal(matcher("  "), null);
  const matches = (text) => matcher(text)(row);
  equal(["web", "WEB running", "web -crash", "10.0.0", "default/web"].map(matches), [true, true, true, true, true]);
  equal(["db", "web -running", "web nothing"].map(matches), [false, false, false]);
  equal(matches("-"), true, "a dash alone is a word");
});

test("a column is as wide as its longest text, within bounds", () => {
  const column = (bounds) => ({ title: "T", bounds, text: (row) => row.text });
  const rows = [{ text: "x" }, { text: "x".repeat(20) }, { text: "x".repeat(99) }];
  equal(widths([column([4, 34]), column([4, 200]), column([120, 200])], rows), [34, 99, 120]);
  equal(widths([column([4, 34])], []), [4]);
});

test("what fails is measured, however rare it is", () => {
  const rows = Array.from({ length: 10_000 }, () => ({ text: "ok", level: 0 }));
  rows[7] = { text: "CrashLoopBackOff", level: 2 };
  equal(widths([{ title: "T", text: (row) => row.text }], rows), [16]);
});

test("all rows have the same tracks, and the least width holds them", () => {
  const { gridTemplateColumns, minWidth } = layout([{ grow: true }, {}], [10, 5]);
  equal([gridTemplateColumns, minWidth], ["22px minmax(92px, 1fr) 55px", "185px"]);
});

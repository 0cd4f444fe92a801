import { diffLines, yamlLines, yamlText } from "../../../dashboard/static/js/yaml.js";
import { equal, test } from "./harness.js";

test("an object as YAML", () => {
  const object = { a: { b: [1, { c: "x: y", d: [] }], e: "true" }, f: "one\ntwo\n", g: null, h: "10m", i: "5", j: {} };
  equal(
    yamlText(object),
    'a:\n  b:\n  - 1\n  - c: "x: y"\n    d: []\n  e: "true"\nf: |\n  one\n  two\ng: null\nh: 10m\ni: "5"\nj: {}\n',
  );
});

test("text that a reader would take for something else is quoted", () => {
  const quoted = [
    "",
    "true",
    "No",
    "null",
    "~",
    "1",
    "1.5e3",
    "0x1f",
    "2024-01-01",
    "12:30",
    "a: b",
    "a #b",
    "ends ",
    "- a",
    "*x",
  ];
  for (const text of quoted) equal(yamlText({ a: text }), `a: ${JSON.stringify(text)}\n`);
  for (const text of ["plain", "10m", "a/b:c", "v1.2.3", "/var/run"]) equal(yamlText({ a: text }), `a: ${text}\n`);
});

test("lines know their path, and blocks may be folded", () => {
  const lines = yamlLines({ spec: { containers: [{ name: "web" }] } });
  equal(
    lines.map(({ path, fold, depth }) => [path, fold, depth]),
    [
      ["spec", true, 0],
      ["spec.containers", true, 1],
      ["spec.containers[0].name", false, 1],
    ],
  );
});

test("a difference leads from one text to the other, and is short", () => {
  let seed = 7;
  const random = (n) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % n;
  };
  const some = () => Array.from({ length: random(12) }, () => "abc"[random(3)]);
  for (let run = 0; run < 500; run++) {
    const [a, b] = [some(), some()];
    const parts = diffLines(a, b);
    const side = (other) => parts.filter(([op]) => op !== other).map(([, text]) => text);
    equal([side("+"), side("-")], [a, b], JSON.stringify([a, b]));
    equal(parts.length - parts.filter(([op]) => op === " ").length, a.length + b.length - 2 * common(a, b), "length");
  }
});

test("beyond the limit the rest is shown as replaced", () => {
  const parts = diffLines(["same", ..."abcdef", "end"], ["same", ..."uvwxyz", "end"], 3);
  equal(parts.map(([op]) => op).join(""), " ------++++++ ");
});

// The length of the longest common subsequence.
function common(a, b) {
  const row = new Array(b.length + 1).fill(0);
  for (const one of a) {
    let before = 0;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j];
      row[j] = one === b[j - 1] ? before + 1 : Math.max(row[j], row[j - 1]);
      before = above;
    }
  }
  return row.at(-1);
}

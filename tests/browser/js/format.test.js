import * as format from "../../../dashboard/static/js/format.js";
import { equal, test } from "./harness.js";

const NOW = 1_700_000_000_000;
const byAmount = (cells, how) => {
  const keys = cells.map((cell) => [format.sortValue(cell, how), cell]);
  return keys.sort(([a], [b]) => format.compare(a, b)).map(([, cell]) => cell);
};

test("quantities sort by amount, not by their letters", () => {
  for (const ordered of [
    ["128Mi", "10Gi", "1Ti"],
    ["5m", "100m", "0.5", "900m", "1", "1500m", "2", "10"],
    ["900", "1k", "1Ki", "1e4", "1M", "1Mi", "1E"],
    ["0/3", "1/3", "2/3", "3/3"],
    ["250m/2", "1/2", "2/2"],
    ["5%", "10%/50%", "80%"],
  ]) {
    equal(byAmount(ordered.toReversed()), ordered);
  }
});

test("durations sort by time, whether they have ended or still run", () => {
  const started = (ago) => ["@", NOW / 1000 - ago, "", ""];
  const ordered = ["12s", "90s", "5m", started(400), "7m3s", "2h", "3d4h", started(400_000), "2y30d"];
  equal(byAmount(ordered.toReversed(), { durations: true, now: NOW }), ordered);
});

test("numbers come before words, and nothing before words", () => {
  equal(byAmount(["web", null, 3, "<none>", "10.0.0.9", "10Gi"]), [3, "10Gi", null, "10.0.0.9", "<none>", "web"]);
});

test("what looks like a number and is none stays a word", () => {
  for (const text of ["10.0.0.1", "80/TCP,443/TCP", "v1.2", "2024-01-01", "1x", "Mi", "-", "e3"]) {
    equal(format.sortValue(text), text.toLowerCase());
  }
});

test("a duration that was written is read back to within its last unit", () => {
  for (let seconds = 0; seconds < 4e8; seconds = Math.ceil(seconds * 1.07) + 1) {
    const back = format.secondsOf(format.human(seconds));
    equal(
      back <= seconds && (seconds - back) / Math.max(seconds, 1) < 0.35,
      true,
      `${seconds}: ${format.human(seconds)}`,
    );
  }
});

test("cells that grow are written for the moment", () => {
  equal(format.cellText(["@", NOW / 1000 - 90, "3 (", " ago)"], NOW), "3 (90s ago)");
  equal(
    [null, undefined, 0, false, "x", { a: 1 }].map((cell) => format.cellText(cell, NOW)),
    ["", "", "0", "false", "x", '{"a":1}'],
  );
});

test("amounts are written as people read them", () => {
  equal([0, 999, 1024, 102_400, 1.5 * 2 ** 30].map(format.bytes), ["0 B", "999 B", "1.0 KiB", "100 KiB", "1.5 GiB"]);
  equal([0, 2 ** 20, 64 * 2 ** 20, 1.5 * 2 ** 30].map(format.memory), ["0", "1Mi", "64Mi", "1.5Gi"]);
  equal([0, 250, 999, 1000, 1500, 12_340].map(format.milli), ["0m", "250m", "999m", "1", "1.5", "12"]);
  equal(format.count(1_234_567), "1\u202f234\u202f567");
  equal([["a"], ["a", "b"], ["a", "b", "c"]].map(format.sentence), ["a", "a and b", "a, b and c"]);
});

test("what a program writes for a terminal is left out", () => {
  equal(format.withoutAnsi("\u001b[31mred\u001b[0m \u001b]0;title\u0007text"), "red text");
});

test("a moment is written in full, and an absent one not at all", () => {
  equal(format.fullMoment(1_700_000_000), "2023-11-14 22:13:20Z");
  equal([format.fullMoment(0), format.epoch(""), format.epoch("2023-11-14T22:13:20Z")], ["", 0, 1_700_000_000]);
});

"""The recorded API answers, run against a standalone server.

    python -m tests.golden.http_cases            # pass counts per area, and what fails
    python -m tests.golden.http_cases --write    # also rewrite http-passing.txt

The cases lie beside the project (`../shared/golden/http`); without them nothing here runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import environment
from tests.apiserver.standalone import ROOT, Server

CASES = ROOT / environment.GOLDEN.get() / "http"
DECIDED = ("(status)", "code", "reason", "metadata.resourceVersion", "metadata.generation")
PLAYS = 5  # of a case, where the second may have changed in the midst of it
HERE = Path(__file__).resolve().parent
PASSING, BY_DECISION, REPORT = HERE / "http-passing.txt", HERE / "by-decision.txt", ROOT / "build" / "golden-http.json"


def names(path: Path) -> list[str]:
    """The first word of each line that is no comment."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def run(server: Server) -> dict[str, list[Any]]:
    """The differences of every case, by `area/name`; wording is left out."""
    if str(CASES) not in sys.path:
        sys.path.insert(0, str(CASES))
    replay = importlib.import_module("replay")
    client = replay.Client(server.url, server.token, server.ca)
    found: dict[str, list[Any]] = {}
    for case in replay.load_cases(CASES / "cases"):
        for _ in range(PLAYS):
            try:
                differences = [d for d in replay.run_case(client, case) if not d[4]]
            except Exception as error:  # a broken answer is a failed case, not the end of the run
                differences = [("-", "(error)", "an answer", f"{type(error).__name__}: {error}", False)]
            if not in_another_order(differences):
                break
        found[f"{case['area']}/{case['name']}"] = differences
    return found


def in_another_order(differences: list[Any]) -> bool:
    """Whether only the entries of managedFields differ.

    Their order follows the second in which each was written; the recording has a case within one second, here one may
    begin during it. Each case has a namespace of its own and can be played again.
    """
    return bool(differences) and all(path.startswith("metadata.managedFields[") for _, path, *_ in differences)


def passed(results: dict[str, list[Any]]) -> set[str]:
    """The cases without differences, and those that differ by decision and as DECIDED says."""
    decided = set(names(BY_DECISION))
    return {name for name, found in results.items() if not found or (name in decided and as_decided(found))}


def as_decided(differences: list[Any]) -> bool:
    """Whether just status, code and reason differ, or whether something was written."""
    return all(path in DECIDED for _, path, *_ in differences)


def report(results: dict[str, list[Any]]) -> dict[str, dict[str, int]]:
    """Pass counts per area; written to `build/golden-http.json`."""
    good = passed(results)
    total, fine = Counter(n.partition("/")[0] for n in results), Counter(n.partition("/")[0] for n in good)
    counts = {area: {"passed": fine[area], "total": total[area]} for area in sorted(total)}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(counts, indent=1) + "\n")
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="rewrite the list of passing cases")
    options = parser.parse_args()
    if not CASES.exists():
        print(f"no recorded cases at {CASES}")
        return 1
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "var") as server:
        results = run(server)
    for area, count in report(results).items():
        print(f"{area:14} {count['passed']:3} of {count['total']:3}")
    for name in sorted(set(results) - passed(results)):
        print("fails", name, *(f"\n    {difference}" for difference in results[name][:2]))
    if options.write:
        PASSING.write_text("".join(f"{name}\n" for name in sorted(passed(results) - set(names(BY_DECISION)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

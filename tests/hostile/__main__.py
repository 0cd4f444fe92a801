"""`python -m tests.hostile`: the long form."""

from __future__ import annotations

import argparse
import sys

import tests.hostile
from tests.hostile import live
from tests.hostile.drive import Report, told
from tests.hostile.server import apiserver

API, COUNT, SOCKETS = "apiserver", 100_000, 20_000


def main() -> int:
    names = [API, *live.TARGETS]
    parser = argparse.ArgumentParser(prog="tests.hostile", description=(tests.hostile.__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", help=f"some of {', '.join(names)}; default: all")
    parser.add_argument(
        "--requests", type=int, help=f"to each; default: {COUNT} to the API server, {SOCKETS} to others"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wanted = options.targets or names
    if unknown := set(wanted) - set(names):
        parser.error(f"there is no {sorted(unknown)[0]!r}: choose from {', '.join(names)}")
    reports: dict[str, Report] = {}

    def note(name: str, report: Report) -> None:
        reports[name] = report
        print(f"{name}: {report.figures()}", file=sys.stderr, flush=True)
        for fault in report.faults:
            print(f"{name}: {fault}", file=sys.stderr, flush=True)

    if API in wanted:
        note(API, apiserver(options.requests or COUNT, options.seed))
    if others := [name for name in live.TARGETS if name in wanted]:
        with live.cluster() as running:
            for name in others:
                note(name, live.TARGETS[name](running, options.requests or SOCKETS, options.seed))
    print(told(reports))
    return 1 if any(report.faults for report in reports.values()) else 0


if __name__ == "__main__":
    sys.exit(main())

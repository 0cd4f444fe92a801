"""Run every figure and print one JSON document."""

from __future__ import annotations

import json
import platform
import sys

from bench import (
    creates,
    dns,
    fairness,
    history,
    logsearch,
    logship,
    nodemetrics,
    objectmetrics,
    rollout,
    start,
    watches,
    web,
)

FIGURES = {
    "creates_lists_memory": creates.main,
    "watches": watches.main,
    "fairness": fairness.main,
    "rollout": rollout.main,
    "start": start.main,
    "dns": dns.main,
    "objectmetrics": objectmetrics.main,
    "history": history.main,
    "nodemetrics": nodemetrics.main,
    "logsearch": logsearch.main,
    "logship": logship.main,
    "web": web.main,
}


def main() -> int:
    wanted = sys.argv[1:] or list(FIGURES)
    unknown = [name for name in wanted if name not in FIGURES]
    if unknown:
        print(f"bench: no figure {unknown[0]!r}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    print(json.dumps({"python": platform.python_version(), **{name: FIGURES[name]() for name in wanted}}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The recorded answers to one changed field, run against a standalone server.

    python -m tests.golden.fields_cases [jobs …]   # what differs, of all kinds or of these

The cases lie beside the project (`../shared/golden/fields`); without them nothing here runs. What differs stands with its
reason in `fields-differing.txt`: a file of cases, verb and path, each of which may hold `*`.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import environment
from kube.conditions import is_true
from tests.apiserver.standalone import ROOT, Server

FOLDER = ROOT / environment.GOLDEN.get() / "fields"
DIFFERING = Path(__file__).resolve().parent / "fields-differing.txt"


class Excuse(NamedTuple):
    """A line of the list: which cases may differ, and why."""

    file: str
    verb: str
    path: str
    reason: str

    def covers(self, file: str, verb: str, path: str) -> bool:
        given = zip((file, verb, path), self[:3], strict=True)
        return all(fnmatchcase(text, pattern) for text, pattern in given)


class Difference(NamedTuple):
    """A case that this server answers otherwise, and how."""

    file: str
    verb: str
    path: str
    how: str


def excuses() -> list[Excuse]:
    """The lines of the list."""
    lines = [line for line in DIFFERING.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [Excuse(*line.split(maxsplit=3)) for line in lines]


def files() -> list[str]:
    """The kinds that there are cases of."""
    return sorted(path.stem for path in (FOLDER / "cases").glob("*.jsonl"))


def differences(server: Server, kinds: list[str]) -> Iterator[Difference]:
    """What of these kinds' cases this server answers otherwise; wording is left out."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    program: Any = importlib.import_module("check_fields")
    program.CHOSEN.add("lastPhaseTransitionTime")  # the second in which a volume was made
    client = _reading_as_made(program.Client)(server.url, server.token, server.ca)
    for kind in kinds:
        for result in program.run(client, FOLDER / "cases" / f"{kind}.jsonl"):
            if result.hard:
                path = ".".join(map(str, result.case["path"]))
                yield Difference(kind, result.case["verb"], path, "; ".join(result.hard)[:400])


def _reading_as_made(client: Any) -> Any:
    """A client that reads a definition back as it was made, and goes on when its kind is served: as it was recorded."""

    class Client(client):  # type: ignore[misc]
        def request(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
            status, answer = super().request(method, path, body)
            if method == "POST" and path.endswith("/customresourcedefinitions") and status < 300:
                self.made = (f"{path}/{answer['metadata']['name']}", answer)
                while not is_true(super().request("GET", self.made[0])[1].get("status"), "Established"):
                    time.sleep(0.01)
            elif method == "GET" and path == getattr(self, "made", [""])[0]:
                answer, self.made = self.made[1], ("", {})
            return status, answer

    return Client


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "var") as server:
        for difference in differences(server, sys.argv[1:] or files()):
            print(*difference)


if __name__ == "__main__":
    main()

"""`python -m logs.copy --from STORE --to STORE`: the lines of one store into another, when a cluster changes over.

A store is the folder of an embedded one (its process must not run when it is written to), or the address of an Elasticsearch.
Lines keep their ids: copying again, or after a kill, adds only what is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

import environment
from logs.elastic.store import Elasticsearch
from logs.index.backend import Embedded
from logs.index.parts import Bounds, Full, Parts
from logs.index.writer import Writer
from logs.query import QueryError, moments, parse
from logs.record import Document, Result, Unavailable
from logs.search import backend
from logs.search.backend import MAX_LIMIT, Asked, Backend, Place
from logs.search.elastic import Elastic
from web.client import HttpSession

WAIT = 5.0  # seconds until a store that refuses is asked again
KEPT_DAYS = 3650  # whatever is there is copied: retention is the store's own matter, when it runs
PART = 512 << 20  # bytes of a part of a day: the least that the store can drop
TRIES = 60


class Opened(NamedTuple):
    """A store that can be read and written."""

    reading: Backend
    writing: Writer | HttpSession


def opened(place: str) -> Opened:
    """Of a folder or an address. Raises OSError, ValueError."""
    if place.startswith(("http://", "https://")):
        words = environment.LOG_STORE_AUTHORIZATION.get()
        return Opened(
            Elastic.at(place), HttpSession(place, (lambda: {"Authorization": words}) if words else dict, again=True)
        )
    parts = Parts(Path(place), Bounds(days=KEPT_DAYS, size=1 << 62, free=64 << 20, part=PART))
    writer = Writer(parts)
    return Opened(Embedded(parts, writer), writer)


async def copy(source: Opened, target: Opened, asked: Asked) -> tuple[int, int]:
    """How many lines there were, and how many of them the target refused. Raises Unavailable when a store stays away."""
    after: Place | None = None
    count = refused = 0
    while True:
        page = await source.reading.search(asked, MAX_LIMIT, False, after)
        results = await _write(target, page.lines)
        for line, result in zip(page.lines, results, strict=True):
            if result.status != "ok":
                refused += 1
                print(f"logs.copy: {line[8:40].decode(errors='replace')} is refused: {result.reason}", file=sys.stderr)
        count, after = count + len(page.lines), page.next
        print(f"{count} lines", end="\r" if after else "\n", flush=True)
        if after is None:
            return count, refused


async def _write(target: Opened, lines: Sequence[bytes]) -> list[Result]:
    for attempt in range(TRIES):
        try:
            if isinstance(target.writing, Writer):
                return await target.writing.write(lines)
            documents = []
            for line in lines:
                found = orjson.loads(line)
                name = found.pop("_id")
                documents.append(Document(name, found["@timestamp"], orjson.dumps(found)))
            results = await Elasticsearch(target.writing).write(documents)
            if again := [result.reason for result in results if result.status == "retry"]:
                raise Unavailable(again[0])
            return results
        except (Full, Unavailable) as error:
            if attempt == TRIES - 1:
                raise Unavailable(str(error)) from error
            print(f"logs.copy: the target does not take lines, trying again: {error}", file=sys.stderr)
            await asyncio.sleep(WAIT)
    raise AssertionError("unreachable")


async def main(options: argparse.Namespace) -> int:
    source, target = opened(getattr(options, "from")), opened(options.to)
    try:
        asked = Asked(
            parse(options.query), moments.nanoseconds(options.since), moments.nanoseconds("now") + 86_400 * 10**9
        )
        count, refused = await copy(source, target, asked)
    finally:
        await source.reading.close()
        await target.reading.close()
    print(f"copied {count - refused} lines, {refused} were refused")
    return 1 if refused else 0


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m logs.copy", description="Copies the lines of one store into another."
    )
    parser.add_argument(
        "--from", required=True, metavar="STORE", help="a folder, or http(s)://[user:password@]host:port"
    )
    parser.add_argument("--to", required=True, metavar="STORE", help="the same")
    parser.add_argument("--query", default="", help="only lines that match it")
    parser.add_argument("--since", default="1970-01-01", help="only lines from then on: 2026-11-21T06:00:00Z, now-7d")
    return parser.parse_args(words)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(arguments())))
    except (OSError, ValueError, QueryError, Unavailable, backend.Unavailable) as problem:
        sys.exit(f"logs.copy: {problem}")

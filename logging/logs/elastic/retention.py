"""Old indices are deleted, by age and by what all of them hold: there is no life-cycle management without its plugin."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import orjson

from logs.elastic.template import PREFIX
from web.client import HttpSession

log = logging.getLogger("logs.elastic.retention")

EVERY = 600.0  # seconds between looks
_DAILY = re.compile(re.escape(PREFIX) + r"(\d{4})\.(\d\d)\.(\d\d)")


@dataclass(frozen=True, slots=True)
class Index:
    """A daily index; `size` in bytes."""

    name: str
    day: date
    size: int


def daily(name: str, size: int) -> Index | None:
    """None for an index that is none of ours: it is never touched."""
    found = _DAILY.fullmatch(name)
    try:
        return Index(name, date(*map(int, found.groups())), size) if found else None
    except ValueError:
        return None


def expired(indices: Sequence[Index], today: date, days: int, max_bytes: int) -> list[str]:
    """What to delete: all older than `days`, and then the oldest until the rest fits. Today's stays in any case."""
    kept = sorted((index for index in indices if index.day > today - timedelta(days=days)), key=lambda index: index.day)
    gone = [index.name for index in indices if index.day <= today - timedelta(days=days)]
    total = sum(index.size for index in kept)
    for index in kept:
        if total <= max_bytes or index.day >= today:
            break
        gone.append(index.name)
        total -= index.size
    return sorted(gone)


async def sweep(server: HttpSession, today: date, days: int, max_bytes: int) -> list[str]:
    """One look; the names of the indices that were deleted. Raises OSError when Elasticsearch does not do it."""
    answer = await server.request("GET", f"/_cat/indices/{PREFIX}*?format=json&bytes=b&h=index,store.size")
    if answer.status >= 300:
        raise OSError(f"the list of indices is answered with {answer.status}")
    rows = orjson.loads(answer.body)
    found = [index for row in rows if (index := daily(row["index"], int(row["store.size"] or 0))) is not None]
    names = expired(found, today, days, max_bytes)
    for name in names:
        answer = await server.request("DELETE", f"/{name}")
        if answer.status >= 300 and answer.status != 404:
            raise OSError(f"deleting {name} is answered with {answer.status}")
        log.info("deleted %s: older than %d days, or more than %d bytes in all", name, days, max_bytes)
    return names


async def keep_swept(server: HttpSession, days: int, max_bytes: int, every: float = EVERY) -> None:
    """Looks again and again, until cancelled."""
    while True:
        try:
            await sweep(server, date.today(), days, max_bytes)
        except OSError as error:
            log.warning("old indices could not be looked for: %r", error)
        await asyncio.sleep(every)

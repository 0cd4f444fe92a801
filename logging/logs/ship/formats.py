"""One line of a file -> its time, stream and text, in the three formats that there are."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson

from kube import clock


class Piece(NamedTuple):
    """What a line of the file says. `partial`: the record goes on in the next piece of its stream."""

    time: str
    stream: str
    partial: bool
    text: bytes


Format = Callable[[bytes], Piece | None]

_CRI = re.compile(rb"\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) [PF](?::\S*)? ")
_EXACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?")


def recognise(first: bytes) -> Format | None:
    """The format of a container's file, by its first line; None: lines of plain text."""
    if _CRI.match(first):
        return cri
    return docker if first.startswith(b'{"log":') else None


def cri(line: bytes) -> Piece | None:
    """`<RFC3339Nano> <stdout|stderr> <P|F> <text>`; None for a line that a crash cut short."""
    parts = line.split(b" ", 3)
    if len(parts) != 4 or parts[1] not in _STREAMS:
        return None
    raw = parts[0]
    time = raw.decode("ascii", "replace")
    if raw[:20] not in _seconds or len(raw) != 30 or raw[29:] != b"Z" or not raw[20:29].isdigit():
        time = normal(time)
        if not time:
            return None
        if len(_seconds) > 4096:
            _seconds.clear()
        if time[:20].encode() == raw[:20]:
            _seconds.add(raw[:20])
    return Piece(time, _STREAMS[parts[1]], parts[2][:1] == b"P", parts[3])


_seconds: set[bytes] = set()  # beginnings, up to the second, of times that are as they should be


_STREAMS = {b"stdout": "stdout", b"stderr": "stderr"}


def docker(line: bytes) -> Piece | None:
    """`{"log": …, "stream": …, "time": …}`; a record that goes on has no newline at its end."""
    try:
        entry = orjson.loads(line)
        text, time = entry["log"].encode("utf-8", "replace"), normal(entry["time"])
        stream = "stderr" if entry["stream"] == "stderr" else "stdout"
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    if not time:
        return None
    return Piece(time, stream, False, text[:-1]) if text.endswith(b"\n") else Piece(time, stream, True, text)


def normal(time: str) -> str:
    """RFC 3339 in UTC with nine digits and Z; empty when it is no time."""
    if len(time) == 30 and _EXACT.fullmatch(time) and "1970" <= time[:4] <= "2261" and _is_day(time[:10]):
        return time
    found = _RFC3339.fullmatch(time)
    return _of(found, local=False) if found else ""


_days: set[str] = set()


def _is_day(text: str) -> bool:
    """Whether there is such a day; the few that occur are remembered."""
    if text in _days:
        return True
    try:
        datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    if len(_days) > 100:
        _days.clear()
    _days.add(text)
    return True


def _of(found: re.Match[str], local: bool) -> str:
    day, second, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{second}")
    except ValueError:
        return ""
    if zone not in (None, "Z"):
        sign = -1 if zone[0] == "-" else 1
        moment -= sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    elif zone is None and local:
        moment = datetime.fromtimestamp(time.mktime(moment.timetuple()), UTC).replace(tzinfo=None)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{(fraction or '').ljust(9, '0')}Z"
    return text if "1970" <= text[:4] <= "2261" else ""


# -- plain files: the control plane's, whose lines begin with a time, or belong to the line before ------------------------

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_LEADING = re.compile(r"\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)?")
_REDIS = re.compile(r"\d+:[A-Z] (\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?")


def leading_time(line: bytes) -> str:
    """The time that a line of text begins with (local, when it names no zone), or nothing."""
    if not line[:1].isdigit() and line[:1] != b"[":
        return ""
    text = line[:48].decode("ascii", "replace")
    found = _LEADING.match(text)
    if found:
        return _of(found, local=True)
    redis = _REDIS.match(text)
    if redis and redis[2] in _MONTHS:
        again = _LEADING.match(f"{redis[3]}-{_MONTHS[redis[2]]:02d}-{redis[1]} {redis[4]}.{redis[5] or '0'}")
        return _of(again, local=True) if again else ""
    return ""


def stamp(seconds: float) -> str:
    """Seconds since the epoch as a document's time."""
    return clock.stamp_nano(int(seconds * 1_000_000_000))


def epoch(text: str) -> float:
    """A document's time as seconds since the epoch."""
    return clock.parse(text[:19] + "Z") + int(text[20:29]) / 1e9

"""Sends requests over kept connections, and judges: answers, silence, death, memory."""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from web.http1 import ProtocolError, ResponseReader

SILENCE = 20.0  # seconds without an answer that count as a hang
GLANCE = 0.05  # seconds for which a stream is looked at
KEEP = 100  # faults that are told in full
WARM = 0.2  # of the requests: what is in memory then is the measure
MORE = 1.2
ENOUGH = 10_000  # requests; after fewer a process has not yet met all of its own
CHANGED = "the server changes the protocol"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `stream`: its answer may never end; `behind`: the status may be that of another server.

    `after`: what follows on the connection once the server has changed the protocol.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    stream: bool = False
    behind: bool = False
    after: bytes = b""

    def raw(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body

    def __str__(self) -> str:
        return f"{self.method} {self.target} {dict(self.headers)} {self.body[:3000]!r}"


@dataclass
class Report:
    """What came of a run; without `faults` all is well."""

    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest: float = 0.0
    warm_mib: float = 0.0
    end_mib: float = 0.0
    most_mib: float = 0.0
    _kinds: set[str] = field(default_factory=set)

    def fault(self, what: str, kind: str = "") -> None:
        """Note a fault; of those of one kind the first."""
        if kind not in self._kinds and len(self.faults) < KEEP:
            self.faults.append(what)
        self._kinds.add(kind or what)

    def figures(self) -> dict[str, Any]:
        rounded = {name: round(value, 2) for name, value in vars(self).items() if isinstance(value, float)}
        return {
            "requests": self.requests,
            "statuses": dict(sorted(self.statuses.items())),
            **rounded,
            "faults": len(self.faults),
        }


def memory(pid: int) -> float:
    """Resident MiB of a process. Raises OSError when it has ended."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Watched:
    """A process, as requests are counted: its memory after a fifth of them is the measure for that at the end."""

    def __init__(self, pid: Callable[[], int], expected: int) -> None:
        self.report = Report()
        self._pid, self._warm, self._began = pid, int(expected * WARM), time.monotonic()
        self.alive = True

    def count(self, *statuses: str) -> None:
        report = self.report
        report.requests += 1
        report.statuses.update(statuses)
        if report.requests % 500 == 0 or report.requests == self._warm:
            self.look()
        if report.requests == self._warm:
            report.warm_mib = report.end_mib

    def look(self) -> None:
        try:
            self.report.end_mib = memory(self._pid())
        except OSError:
            self.alive = False
            self.report.fault("the process has ended")
        self.report.most_mib = max(self.report.most_mib, self.report.end_mib)

    def end(self) -> Report:
        """The report, once nothing more is sent."""
        report = self.report
        self.look()
        report.seconds = time.monotonic() - self._began
        if self.alive and report.requests >= ENOUGH and report.end_mib > report.warm_mib * MORE:
            report.fault(f"memory grew from {report.warm_mib:.0f} to {report.end_mib:.0f} MiB")
        return report


def fault_of(asked: Asked, status: int) -> str:
    """Why a status is none that may be; "" for one that may."""
    if status < 500 or status == 504 or (asked.behind and status in (500, 501, 502, 503)):
        return ""
    return f"answered {status}"


class Drive:
    """`requests` are sent over `lanes` connections to a place (host, port); `pid` is the process behind it.

    `heard` is called with each whole answer; `tidy` now and then, while nothing else is sent.
    """

    def __init__(
        self,
        place: tuple[str, int],
        requests: Iterator[Asked],
        pid: Callable[[], int],
        tls: ssl.SSLContext | None = None,
        heard: Callable[[Asked, int, bytes], None] = lambda asked, status, body: None,
        tidy: Callable[[], None] = lambda: None,
        lanes: int = 8,
        tidy_every: int = 2000,
    ) -> None:
        self._place, self._requests, self._pid, self._tls = place, requests, pid, tls
        self._heard, self._tidy, self._lanes, self._every = heard, tidy, lanes, tidy_every
        self.report = Report()

    def run(self, count: int) -> Report:
        """Send so many requests, or as many until the process has ended."""
        self._watched = Watched(self._pid, count)
        self.report = self._watched.report
        while self.report.requests < count and self._watched.alive:
            asyncio.run(self._some(min(self._every, count - self.report.requests)))
            self._tidy()
        return self._watched.end()

    async def _some(self, count: int) -> None:
        left = iter(range(count))
        await asyncio.gather(*(self._lane(left) for _ in range(self._lanes)))

    async def _lane(self, left: Iterator[int]) -> None:
        lane = Lane(self._place, self._tls)
        for _ in left:
            asked = next(self._requests)
            began = time.monotonic()
            try:
                async with asyncio.timeout(SILENCE):
                    status, body = await lane.ask(asked)
            except TimeoutError:
                self.report.fault(f"no answer in {SILENCE:g} s: {asked}")
                lane.close()
                status, body = 0, b""
            except ProtocolError as error:
                lane.close()
                status, body = 0, b""
                self.report.fault(f"{error}: {asked}")
            except OSError as error:
                lane.close()
                status, body = 0, b""
                self.report.statuses[type(error).__name__] += 1
                self._watched.look()
                if not self._watched.alive:
                    self.report.fault(f"died of: {asked}")
                    return
            self.report.slowest = max(self.report.slowest, time.monotonic() - began)
            self._watched.count(str(status))
            if why := fault_of(asked, status):
                said = body.partition(b'"message":')[2][:120] if body else asked.target.partition("?")[0].encode()
                self.report.fault(f"{why}: {asked}\n    {body[:600]!r}", f"{why} {re.sub(rb'[0-9]+', b'0', said)!r}")
            self._heard(asked, status, body)
        lane.close()


class Lane:
    """A connection that is made again when the server has closed it."""

    def __init__(self, place: tuple[str, int], tls: ssl.SSLContext | None) -> None:
        self._place, self._tls = place, tls
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, asked: Asked) -> tuple[int, bytes]:
        """Status and body. Raises OSError, ProtocolError for what is no answer (a body to a HEAD)."""
        fresh = self._writer is None
        try:
            return await self._ask(asked)
        except ConnectionError:
            self.close()
            if fresh:
                raise
            return await self._ask(asked)  # an idle connection may end at any time

    async def _ask(self, asked: Asked) -> tuple[int, bytes]:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(*self._place, ssl=self._tls)
            self._answers = ResponseReader(1 << 30)
        answers = self._answers
        answers.begin(asked.method)
        self._writer.write(asked.raw())
        while not answers.complete:
            began = answers.response is not None
            if asked.stream and began:
                try:
                    data = await asyncio.wait_for(self._reader.read(65536), GLANCE)
                except TimeoutError:
                    return self._leave(answers)
            else:
                data = await self._reader.read(65536)
            if data:
                try:
                    answers.feed(data)
                except ProtocolError as error:
                    if str(error) != CHANGED or not any(name == "Upgrade" for name, _ in asked.headers):
                        raise
                    return await self._converse(asked.after)
            else:
                answers.end()
            if asked.stream and answers.size > 65536:
                return self._leave(answers)
        found = answers.whole()
        if not answers.keep or found.headers.get("connection") == "close" or found.status in (400, 408, 413, 431):
            self.close()
        return found.status, found.body

    async def _converse(self, after: bytes) -> tuple[int, bytes]:
        """Say what is to follow in the other protocol, listen for a moment, and go."""
        assert self._writer is not None
        self._writer.write(after)
        try:
            await asyncio.wait_for(self._reader.read(65536), GLANCE)
        except (TimeoutError, OSError):
            pass
        self.close()
        return 101, b""

    def _leave(self, answers: ResponseReader) -> tuple[int, bytes]:
        assert answers.response is not None
        self.close()
        return answers.response.status, answers.take()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._writer = None


def told(reports: dict[str, Report]) -> str:
    """The figures of all targets as JSON."""
    return json.dumps({name: report.figures() for name, report in reports.items()}, indent=2)

"""The short form of `python -m tests.hostile`: some thousand requests, and that what is judged is judged rightly."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from random import Random

import pytest

from tests.hostile import live, words
from tests.hostile.drive import Asked, Drive, Report, fault_of
from tests.hostile.server import apiserver
from tests.hostile.sockets import Page, Pages, question


@pytest.mark.timeout(600)
def test_the_api_server_bears_what_no_client_should_send() -> None:
    report = apiserver(2000, seed=11)
    assert report.requests == 2000 and report.statuses["201"] > 10 and report.statuses["422"] > 100
    assert not report.faults, "\n".join(report.faults)


@pytest.mark.serial
@pytest.mark.timeout(900)
def test_the_other_sockets_of_a_cluster_bear_it_too() -> None:
    with live.cluster() as running:
        reports = {name: run(running, 600, 11) for name, run in live.TARGETS.items()}
    assert {report.requests for report in reports.values()} == {600}
    assert not any(r.faults for r in reports.values()), "\n".join(f for r in reports.values() for f in r.faults)


# -- the judge -------------------------------------------------------------------------------------------------------------


def judged(answer: bytes, asked: Asked) -> Report:
    """What is said of a server that gives this answer to all."""
    with asyncio.Runner() as runner:
        loop = runner.get_loop()

        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            writer.close()

        server = runner.run(asyncio.start_server(reply, "127.0.0.1", 0))
        place = server.sockets[0].getsockname()[:2]
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            return Drive(place, iter(lambda: asked, None), os.getpid, lanes=1).run(3)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()


OK, BAD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno"


@pytest.mark.parametrize(
    ("answer", "method", "fault"),
    [
        (OK, "GET", ""),
        (BAD, "GET", "answered 500"),
        (OK, "HEAD", "sends a body where none belongs"),
        (b"SSH-2.0-x\r\n\r\n", "GET", "no HTTP answer"),
    ],
)
def test_faults_are_seen(answer: bytes, method: str, fault: str) -> None:
    report = judged(answer, Asked(method, "/", (("Host", "x"),)))
    assert report.requests == 3
    assert fault in report.faults[0] if fault else not report.faults


def test_only_a_backend_may_answer_5xx_and_504_is_none() -> None:
    assert fault_of(Asked("GET", "/"), 503) and not fault_of(Asked("GET", "/"), 504)
    assert not fault_of(Asked("GET", "/", behind=True), 503)


def first(rows: Iterator[Asked]) -> list[bytes]:
    return [next(rows).raw() for _ in range(50)]


def test_a_seed_gives_a_run_again() -> None:
    pages = [Page("POST", "/search", {"a": ("b",)}, {"query": "x"}, ("v4.channel.k8s.io",))]
    one, same, other = (first(Pages(Random(seed), pages, ())) for seed in (1, 1, 2))
    assert one == same != other
    assert question(Random(3)) == question(Random(3))


def test_what_is_bent_leaves_the_good_one_as_it_was() -> None:
    good = {"a": [1, {"b": "c"}], "d": None}
    for seed in range(200):
        words.bent(Random(seed), good, 4)
    assert good == {"a": [1, {"b": "c"}], "d": None}

from __future__ import annotations

import asyncio

import pytest

from dashboard import api, monitor


def test_redis_that_is_not_configured_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BINNACLE_REDIS", raising=False)
    assert asyncio.run(monitor.ping_redis()) is None


def test_redis_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_REDIS", "unix:///nowhere/redis.sock")
    assert asyncio.run(monitor.ping_redis()) == "Redis does not answer: ConnectionError"


def test_an_api_server_that_accepts_and_says_nothing_is_noticed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[str, float]:
        silent = await asyncio.start_server(lambda r, w: asyncio.sleep(5), "127.0.0.1", 0)
        monkeypatch.setenv("BINNACLE_API_URL", f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}")
        started = asyncio.get_running_loop().time()
        why = await api.probe(timeout=0.3)
        silent.close()
        return why, asyncio.get_running_loop().time() - started

    why, took = asyncio.run(story())
    assert why == "the API server does not answer (TimeoutError)"
    assert took < 1


@pytest.mark.parametrize(("status", "why"), [("200 OK", ""), ("401 Unauthorized", ""), ("403 Forbidden", ""),
                                             ("500 Broken", "the API server answers 500")])
def test_what_a_probe_makes_of_answers(monkeypatch: pytest.MonkeyPatch, status: str, why: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def story() -> str:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        monkeypatch.setenv("BINNACLE_API_URL", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        found = await api.probe()
        server.close()
        return found

    assert asyncio.run(story()) == why


def test_a_part_knows_since_when_it_is_away() -> None:
    part = monitor.Part()
    assert part.show() == {"up": None, "age": None, "why": ""}
    part.set(True)
    part.set(False, "gone")
    shown = part.show()
    assert (shown["up"], shown["why"]) == (False, "gone")
    assert shown["age"] is not None
    assert shown["age"] < 1

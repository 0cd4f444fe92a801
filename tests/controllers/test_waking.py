"""Wake-ups: taken by free threads, gathered into messages, and gone at the end."""

from __future__ import annotations

import queue
import threading

from controllers.waking import Drains, Waker


def test_free_threads_take_queues_up_to_the_limit() -> None:
    started: queue.Queue[str] = queue.Queue()
    go_on = threading.Event()

    def drain(name: str) -> None:
        started.put(name)
        go_on.wait(10)
        if name == "bad":
            raise RuntimeError("broken")

    drains = Drains("test", drain, 2)
    assert drains.take("bad", 2) and drains.take("b", 2) and not drains.take("c", 2)
    assert {started.get(timeout=10), started.get(timeout=10)} == {"bad", "b"}
    assert drains.take("d"), "what a message brought is taken in any case"
    go_on.set()
    assert started.get(timeout=10) == "d"
    drains.stop()
    assert not drains.take("e")


def test_wake_ups_of_a_moment_are_one_message() -> None:
    sent: queue.Queue[list[str]] = queue.Queue()
    refused = threading.Event()

    def send(names: list[str]) -> None:
        if not refused.is_set():
            refused.set()
            raise OSError("Redis is away")
        sent.put(names)

    waker = Waker(send)
    waker.wake("lost")
    assert refused.wait(10)
    for name in ("a", "b", "a"):
        waker.wake(name)
    got = sent.get(timeout=10)
    while set(got) != {"a", "b"}:
        got += sent.get(timeout=10)
    assert sent.empty()

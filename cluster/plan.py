"""A verb is written once, as a generator that yields the writes it wants and receives what became of them.

That keeps the rules of a verb (read, change, check, write, retry) apart from how it waits: `run` blocks a thread, `arun`
suspends a coroutine, and `together` merges the writes of many verbs into one commit. What somebody outside has to be asked
(a webhook) is yielded too, so that nothing else waits for the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from cluster.store import Store, Stored, Write
from kube.errors import ApiError

T = TypeVar("T")
Results = list[Stored | ApiError]


class Commit(NamedTuple):
    """Writes for one transaction; `atomic`: all of them or none."""

    writes: list[Write]
    atomic: bool = False


class Ask(NamedTuple):
    """A question to somebody outside. `call` blocks; what it returns is sent to the plan, and is not None."""

    call: Callable[[], Any]


Step = Commit | Ask
Plan = Generator[Step, Any, T]


def run(plan: Plan[T], store: Store) -> T:
    """Carry out a plan, blocking this thread on its commits."""
    try:
        step = next(plan)
        while True:
            step = plan.send(step.call() if isinstance(step, Ask) else store.write_many(step.writes, step.atomic))
    except StopIteration as done:
        value: T = done.value
        return value


async def arun(plan: Plan[T], store: Store) -> T:
    """Carry out a plan in a coroutine."""
    try:
        step = next(plan)
        while True:
            step = plan.send(
                await outside(step.call) if isinstance(step, Ask) else await store.awrite_many(step.writes, step.atomic)
            )
    except StopIteration as done:
        value: T = done.value
        return value


async def outside(call: Callable[[], T]) -> T:
    """The result of what blocks until somebody outside answers."""
    return await asyncio.get_running_loop().run_in_executor(_outside(), call)


@lru_cache(maxsize=1)
def _outside() -> ThreadPoolExecutor:
    """Threads of their own: those of the event loop are not to be held by webhooks that do not answer."""
    return ThreadPoolExecutor(32, "webhooks")


def together(plans: Iterable[Plan[T]]) -> Plan[list[T | ApiError]]:
    """Carry out many plans with few commits; each one's result, or the error it ended with, in order.

    Atomic commits go alone and at once: they count something (a quota), and the next plan must see the new count.
    """
    results: list[Any] = []
    waiting: list[tuple[int, Plan[T], Commit]] = []
    for plan in plans:
        results.append(None)
        step = _advance(plan, None, results, len(results) - 1)
        while isinstance(step, Ask) or (step is not None and step.atomic):
            step = _advance(plan, (yield step), results, len(results) - 1)
        if step is not None:
            waiting.append((len(results) - 1, plan, step))
    while waiting:
        answers = yield Commit([write for _, _, commit in waiting for write in commit.writes])
        waiting = yield from _next_round(waiting, answers, results)
        for at, (index, plan, commit) in enumerate(waiting):
            if commit.atomic:
                raise AssertionError(f"plan {index} ({plan}, {at}) may be atomic from the start only")
    return results


def _next_round(
    waiting: list[tuple[int, Plan[T], Commit]], answers: Results, results: list[Any]
) -> Plan[list[tuple[int, Plan[T], Commit]]]:
    start = 0
    following: list[tuple[int, Plan[T], Commit]] = []
    for index, plan, commit in waiting:
        own = answers[start : start + len(commit.writes)]
        start += len(commit.writes)
        step = _advance(plan, own, results, index)
        while isinstance(step, Ask):
            step = _advance(plan, (yield step), results, index)
        if step is not None:
            following.append((index, plan, step))
    return following


def _advance(plan: Plan[T], answer: Any, results: list[Any], index: int) -> Step | None:
    try:
        return next(plan) if answer is None else plan.send(answer)
    except StopIteration as done:
        results[index] = done.value
    except ApiError as error:
        results[index] = error
    return None


def first(results: Results) -> Stored:
    """The result of a commit's first write, raised when it is an error."""
    if isinstance(results[0], ApiError):
        raise results[0]
    return results[0]

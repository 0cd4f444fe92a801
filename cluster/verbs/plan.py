"""A verb is written once, as a generator that yields the writes it wants and receives what became of them.

That keeps the rules of a verb (read, change, check, write, retry) apart from how it waits: `run` blocks a thread, `arun`
suspends a coroutine, and `together` merges the writes of many verbs into one commit.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any, NamedTuple, TypeVar

from cluster.errors import ApiError
from cluster.store import Store, Stored, Write

T = TypeVar("T")
Results = list[Stored | ApiError]


class Commit(NamedTuple):
    """Writes for one transaction; `atomic`: all of them or none."""

    writes: list[Write]
    atomic: bool = False


Plan = Generator[Commit, Results, T]


def run(plan: Plan[T], store: Store) -> T:
    """Carry out a plan, blocking this thread on its commits."""
    try:
        commit = next(plan)
        while True:
            commit = plan.send(store.write_many(commit.writes, commit.atomic))
    except StopIteration as done:
        return done.value


async def arun(plan: Plan[T], store: Store) -> T:
    """Carry out a plan in a coroutine."""
    try:
        commit = next(plan)
        while True:
            commit = plan.send(await store.awrite_many(commit.writes, commit.atomic))
    except StopIteration as done:
        return done.value


def together(plans: Iterable[Plan[T]]) -> Plan[list[T | ApiError]]:
    """Carry out many plans with few commits; each one's result, or the error it ended with, in order.

    Atomic commits go alone and at once: they count something (a quota), and the next plan must see the new count.
    """
    results: list[Any] = []
    waiting: list[tuple[int, Plan[T], Commit]] = []
    for plan in plans:
        results.append(None)
        commit = _advance(plan, None, results, len(results) - 1)
        while commit is not None and commit.atomic:
            commit = _advance(plan, (yield commit), results, len(results) - 1)
        if commit is not None:
            waiting.append((len(results) - 1, plan, commit))
    while waiting:
        answers = yield Commit([write for _, _, commit in waiting for write in commit.writes])
        waiting = list(_next_round(waiting, answers, results))
        for at, (index, plan, commit) in enumerate(waiting):
            if commit.atomic:
                raise AssertionError(f"plan {index} ({plan}, {at}) may be atomic from the start only")
    return results


def _next_round(waiting: list[tuple[int, Plan[T], Commit]], answers: Results,
                results: list[Any]) -> Iterable[tuple[int, Plan[T], Commit]]:
    start = 0
    for index, plan, commit in waiting:
        own = answers[start:start + len(commit.writes)]
        start += len(commit.writes)
        following = _advance(plan, own, results, index)
        if following is not None:
            yield index, plan, following


def _advance(plan: Plan[T], answer: Results | None, results: list[Any], index: int) -> Commit | None:
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

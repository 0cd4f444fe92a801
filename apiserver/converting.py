"""Kinds whose versions a webhook makes out of each other: what waits for it waits in a thread, not in the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from cluster.cache import Entry
from cluster.plan import Plan, arun, outside, run
from cluster.store import Store
from kube.registry import Kind

T = TypeVar("T")


def carried_out(kind: Kind, plan: Plan[T], store: Store) -> Awaitable[T]:
    """The result of a write."""
    return arun(plan, store) if kind.convert is None else outside(partial(run, plan, store))


async def apart(kind: Kind, work: Callable[[], T]) -> T:
    """The result of `work`, which reads stored objects in the kind's version."""
    return work() if kind.convert is None else await outside(work)


async def prepare(kind: Kind, entries: Sequence[Entry]) -> None:
    """Ask for many objects at once, before they are read one by one. Raises ApiError."""
    if kind.convert is not None and entries:
        await outside(partial(kind.convert, [entry.body for entry in entries]))

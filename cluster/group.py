"""One commit of the store: the requests it answers, and the plan of what it does to the tables.

Pure but for the clock: what is there was read before, what follows is written by `cluster.store`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Any

import orjson

from cluster.changes import Change, Key, Stored, Write
from kube.errors import AlreadyExists, ApiError, BadRequest, ClaimTaken, Conflict, InternalError, NotFound

Results = list[Stored | ApiError]


class Request:
    """Writes of one caller, answered together. `atomic`: all of them or none. A coroutine's caller waits in `loop`."""

    __slots__ = ("atomic", "future", "loop", "writes")

    def __init__(self, writes: Sequence[Write], atomic: bool, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.writes, self.atomic, self.loop = writes, atomic, loop
        self.future: Future[Results] | asyncio.Future[Results] = loop.create_future() if loop else Future()


class Group:
    """What one transaction is going to do: results of each write, and the rows that follow from them."""

    def __init__(self, cluster: int, revision: int, current: dict[Key, int], stamp: bool) -> None:
        self.cluster, self.revision, self.current, self.stamp = cluster, revision, current, stamp
        self.present = frozenset(current)  # what was there before the group
        self.now = time.time()
        self.changes: list[Change] = []
        self.claims: dict[str, Sequence[tuple[str, str]]] = {}
        self.uids: dict[Key, str] = {}

    def plan(self, request: Request, taken: dict[tuple[str, str], str]) -> Results:
        """Decide each write of a request; `taken` maps claims to their owners, and is brought up to date."""
        results: list[Stored | ApiError] = []
        mark, revision, before = len(self.changes), self.revision, dict(self.current) if request.atomic else {}
        held, claimed = (dict(self.claims), dict(taken)) if request.atomic else ({}, {})
        for write in request.writes:
            try:
                results.append(self._apply(write, taken))
            except ApiError as error:
                results.append(error)
        if request.atomic and any(isinstance(r, ApiError) for r in results):
            del self.changes[mark:]
            self.revision, self.current, self.claims = revision, before, held
            taken.clear()
            taken.update(claimed)
            first = next(r for r in results if isinstance(r, ApiError))
            return [r if isinstance(r, ApiError) else first for r in results]
        return results

    def _apply(self, write: Write, taken: dict[tuple[str, str], str]) -> Stored:
        key = write.key
        present = self.current.get(key)
        self._check(write, present)
        body = self._encode(write, self.revision + 1)
        self._claim(write, taken)
        self.revision += 1
        kind = "ADDED" if write.op == "create" else "DELETED" if write.op == "delete" else "MODIFIED"
        self.changes.append(Change(self.revision, kind, key, body, self.now, present or 0))
        if write.op == "delete":
            del self.current[key]
        else:
            self.current[key] = self.revision
            self.uids[key] = (write.body or {})["metadata"].get("uid", "")
        return Stored(key, self.revision, body)

    def _check(self, write: Write, present: int | None) -> None:
        group, resource = write.key.group_resource
        if write.op == "create":
            if present is not None:
                raise AlreadyExists(resource, write.key.name, group)
        elif present is None:
            raise NotFound(resource, write.key.name, group)
        elif write.expect is not None and write.expect != present:
            raise Conflict(resource, write.key.name, group)

    def _claim(self, write: Write, taken: dict[tuple[str, str], str]) -> None:
        owner = "/".join(write.key)
        if write.op == "delete":
            self.claims[owner] = ()
        elif write.claims is not None:
            for claim in write.claims:
                if taken.get(claim, owner) != owner:
                    raise ClaimTaken(*claim)
            for claim in write.claims:
                taken[claim] = owner
            if write.claims or write.op != "create":  # what is new holds nothing that would have to be given up
                self.claims[owner] = write.claims

    def _encode(self, write: Write, revision: int) -> bytes:
        body = write.body
        if body is None:
            raise InternalError(f"a write of {'/'.join(write.key)} needs the object's body")
        if self.stamp:
            body["metadata"]["resourceVersion"] = str(revision)
        try:
            return orjson.dumps(body)
        except TypeError as error:  # this write's fault: the others of the group go on
            raise BadRequest(f"the object cannot be stored as JSON: {error}") from error


def answer(requests: Sequence[Request], results: Sequence[Results | ApiError]) -> None:
    """Hand each caller its results; an event loop is woken once for all that wait in it."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[Any, Results | ApiError]]] = {}
    for request, result in zip(requests, results, strict=True):
        if request.loop is not None:
            loops.setdefault(request.loop, []).append((request.future, result))
        else:
            _settle(request.future, result)
    for loop, pairs in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_settle_all, pairs)


def _settle_all(pairs: Iterable[tuple[Any, Results | ApiError]]) -> None:
    for future, result in pairs:
        _settle(future, result)


def _settle(future: Any, result: Results | ApiError) -> None:
    if future.done():  # a coroutine that was cancelled meanwhile
        return
    if isinstance(result, ApiError):
        future.set_exception(result)
    else:
        future.set_result(result)

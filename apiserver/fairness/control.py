"""Follows FlowSchemas and priority levels, and lets requests in as they say."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import environment
from apiserver import metrics, response
from apiserver.fairness.accounts import Account, Accounts, too_much
from apiserver.fairness.levels import Hall, Level, Rejected, Seat
from apiserver.fairness.match import Schema, ordered
from apiserver.paths import RequestInfo
from apiserver.response import Answer, Response
from cluster.bootstrap import flowcontrol
from kube import clock
from kube.errors import AlreadyExists, ApiError, TooManyRequests
from kube.objects import Json
from kube.users import APISERVER

if TYPE_CHECKING:
    from apiserver.request import Request
    from apiserver.state import State
    from cluster.cache import Event

log = logging.getLogger(__name__)

GROUP = "flowcontrol.apiserver.k8s.io"
SCHEMAS, LEVELS = f"flowschemas.{GROUP}", f"prioritylevelconfigurations.{GROUP}"
CATCH_ALL, EXEMPT = "catch-all", "exempt"
MEMO = 10_000  # sorts of requests of which it is remembered where they belong
STREAMS = frozenset({"attach", "exec", "log", "portforward", "proxy"})  # subresources that last, and take no seat
OBJECTS_A_SEAT, WIDEST = 500, 10  # a list of many objects takes more seats than one
LARGE = 64 * 1024  # bytes of an answer from which it counts what waits to be read
SENDING = 0.1  # seconds for which a large answer that is being sent keeps its seats
REST = 1.0  # seconds for which a connection that was told 429 is not read


class Ticket:
    """What one request holds, until `done`. `stream`: it lasts, as watches and logs do."""

    __slots__ = ("_bytes", "_control", "_schema", "_seat", "_timer", "account", "level", "rejected", "stream")

    def __init__(self, control: Fairness, account: Account, schema: Schema, level: Level, stream: bool) -> None:
        self._control, self._schema = control, schema
        self.account, self.level, self.stream = account, level, stream
        self.rejected = False
        self._seat: Seat | None = None
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        if stream:
            account.streams += 1
        else:
            account.requests += 1

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-kubernetes-pf-flowschema-uid", self._schema.uid.encode()),
            (b"x-kubernetes-pf-prioritylevel-uid", self.level.uid.encode()),
        ]

    async def sit(self, flow: str, width: int) -> None:
        """Raises TooManyRequests."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        labels = (self._schema.name, self.level.name)
        try:
            self._seat = await self.level.enter(f"{self._schema.name}/{flow}", width)
        except Rejected as why:
            raise self.refuse(TooManyRequests("too many requests, please try again later"), why.reason) from why
        finally:
            metrics.WAITED.histogram(*labels, str(self._seat is not None).lower()).observe(loop.time() - began)
        metrics.DISPATCHED.values[labels] += 1

    def refuse(self, error: TooManyRequests, reason: str) -> TooManyRequests:
        self.rejected = True
        metrics.REJECTED.values[(self._schema.name, self.level.name, reason)] += 1
        return error

    def stand(self) -> None:
        """The answer is made, and sent as far as the client reads it: the seats are others'."""
        seat, self._seat = self._seat, None
        if seat is not None:
            seconds = seat.leave(asyncio.get_running_loop().time())
            metrics.EXECUTED.histogram(self._schema.name, self.level.name).observe(seconds)

    def hold(self, answer: Answer) -> Answer:
        """The answer, counted until it is sent; another where more of them wait for this user than may."""
        size = answer.size if isinstance(answer, Response) else 0
        account = self.account
        if size < LARGE:  # it goes out at once, or a stream begins
            self.stand()
            return answer
        self._timer = asyncio.get_running_loop().call_later(SENDING, self.stand)
        if self.level.exempt:
            return answer
        if account.bytes and account.bytes + size > self._control.accounts.bytes:
            error = self.refuse(too_much(account, account.bytes, "bytes that wait to be read"), "bytes")
            return response.of_error(error)
        self._bytes = size
        account.bytes += size
        return answer

    def done(self) -> None:
        """The answer is sent, or never will be."""
        self.stand()
        if self._timer is not None:
            self._timer.cancel()
        self.account.bytes -= self._bytes
        if self.stream:
            self.account.streams -= 1
        else:
            self.account.requests -= 1
        self._control.accounts.settle(self.account)


class Fairness:
    """Of one API server process, used in its event loop."""

    def __init__(self, state: State) -> None:
        self.accounts = Accounts()
        self.levels: dict[str, Level] = {}
        self._hall = Hall()
        self._state = state
        self._total = environment.SEATS.get()
        self._schemas: list[Schema] = []
        self._memo: dict[tuple[object, ...], tuple[Schema, Level, str]] = {}
        self._stale = True
        self._repairs: set[asyncio.Future[None]] = set()
        state.cache.subscribe(self._changed)

    # -- requests -------------------------------------------------------------------------------------------------------

    async def enter(self, request: Request) -> None:
        """Give the request its ticket, when it is its turn. Raises TooManyRequests."""
        if self._stale:
            self._read()
        user, info = request.user, request.info
        where = info.resource if info.is_resource else info.path
        key = (user, user.groups, info.verb, info.group, where, info.subresource, info.namespace)
        found = self._memo.get(key)
        if found is None:
            found = self._classify(request)
            if len(self._memo) >= MEMO:
                self._memo.clear()
            self._memo[key] = found
        schema, level, flow = found
        account = self._account(request)
        stream = info.verb == "watch" or info.subresource in STREAMS
        ticket = Ticket(self, account, schema, level, stream)
        request.ticket = ticket
        if not level.exempt:
            try:
                self.accounts.check(account, stream)
            except TooManyRequests as error:
                raise ticket.refuse(error, "user") from None
        if not stream or info.verb == "watch":
            await ticket.sit(flow, self._width(info))

    def _account(self, request: Request) -> Account:
        """Of the user, who has this connection from now on."""
        account = self.accounts.of(request.user.name)
        direct = request.scope.get("direct")
        if direct is not None and direct.protocol.account is not account:
            direct.protocol.belong(account, self.accounts.settle)
        return account

    def _width(self, info: RequestInfo) -> int:
        if info.verb != "list":
            return 1
        kind = self._state.registry.lookup(info.group, info.version, info.resource)
        count = self._state.cache.count(kind.storage) if kind is not None else 0
        return min(1 + count // OBJECTS_A_SEAT, WIDEST)

    def _classify(self, request: Request) -> tuple[Schema, Level, str]:
        for schema in self._schemas:
            level = self.levels.get(schema.level)
            if level is not None and schema.matches(request.user, request.info):
                return schema, level, schema.flow(request.user, request.info)
        # A catch-all that was narrowed: it is meant to be for everybody all the same.
        schema = next(schema for schema in self._schemas if schema.name == CATCH_ALL)
        return schema, self.levels[CATCH_ALL], request.user.name

    # -- what is stored -------------------------------------------------------------------------------------------------

    def _changed(self, events: Sequence[Event]) -> None:
        """In a thread of the cache."""
        if any(event.key.storage in (SCHEMAS, LEVELS) for event in events):
            self._stale = True

    def _read(self) -> None:
        """Take the objects as they are now; of the mandatory ones what they must be, also where somebody deleted them."""
        self._stale = False
        cache = self._state.cache
        builtin = {(obj["kind"], obj["metadata"]["name"]): obj for obj in flowcontrol.mandatory()}
        stored = {
            (obj["kind"], obj["metadata"]["name"]): obj
            for storage in (LEVELS, SCHEMAS)
            for obj in (entry.object() for entry in cache.list(storage))
        }
        objects = builtin | stored
        levels = {name: obj for (kind, name), obj in objects.items() if kind == "PriorityLevelConfiguration"}
        schemas = [obj for (kind, _), obj in objects.items() if kind == "FlowSchema"]
        self.levels = {name: self.levels.get(name) or Level(name, self._hall) for name in levels}
        for name, level in self.levels.items():
            level.configure(levels[name])
        self._share()
        self._schemas, self._memo = ordered(map(Schema.of, schemas)), {}
        lost = [obj for key, obj in builtin.items() if key not in stored]
        told = [(obj, wanted) for obj in schemas if (wanted := dangling(obj, levels)) is not None]
        if lost or told:
            repair = asyncio.ensure_future(asyncio.to_thread(self._repair, lost, told))
            self._repairs.add(repair)
            repair.add_done_callback(self._repairs.discard)

    def _share(self) -> None:
        """The seats of all levels by their shares, at least one each."""
        shares = sum(level.shares for level in self.levels.values()) or 1
        own = {name: math.ceil(self._total * level.shares / shares) for name, level in self.levels.items()}
        for name, level in self.levels.items():
            level.share(own[name], sum(own.values()))
        self._hall.seat(self.levels.values())

    def _repair(self, lost: Iterable[Json], told: Iterable[tuple[Json, Json]]) -> None:
        """In a thread: create what is mandatory, and say of each FlowSchema whether its level exists."""
        session = self._state.session(APISERVER)
        for obj in lost:
            kind = self._state.registry.by_gvk(obj["apiVersion"], obj["kind"])
            assert kind is not None
            for result in session.create_many([(kind, "", obj)]):
                if isinstance(result, ApiError) and not isinstance(result, AlreadyExists):
                    log.warning("%s %s cannot be made anew: %s", obj["kind"], obj["metadata"]["name"], result)
        for obj, condition in told:
            kind = self._state.registry.by_gvk(obj["apiVersion"], "FlowSchema")
            assert kind is not None
            body, name = {"status": {"conditions": [condition]}}, obj["metadata"]["name"]
            try:
                session.patch(kind, "", name, body, "application/merge-patch+json", subresource="status")
            except ApiError as error:
                log.debug("the status of flow schema %s was not written: %s", name, error)


def dangling(obj: Json, levels: Iterable[str]) -> Json | None:
    """The condition Dangling of a FlowSchema, None where it stands there already."""
    name = obj["spec"]["priorityLevelConfiguration"]["name"]
    found = name in levels
    status = "False" if found else "True"
    conditions = (obj.get("status") or {}).get("conditions") or ()
    if any(one.get("type") == "Dangling" and one.get("status") == status for one in conditions):
        return None
    words = f'This FlowSchema references the PriorityLevelConfiguration object named "{name}" '
    return {
        "type": "Dangling",
        "status": status,
        "lastTransitionTime": clock.now(),
        "reason": "Found" if found else "NotFound",
        "message": words + ("and it exists" if found else "but there is no such object"),
    }

"""API Priority and Fairness: who belongs where, whose turn it is, and what one user can take from others: nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.fairness.accounts import Account
from apiserver.fairness.levels import Hall, Level, Rejected, Seat, deal
from apiserver.fairness.match import Schema, ordered
from apiserver.negotiation import View
from apiserver.paths import parse
from apiserver.watchers import CHUNK, MAX_PENDING, Watcher
from cluster.bootstrap import flowcontrol
from config.status import resident
from kube import registry, users
from kube.users import User
from tests.apiserver.standalone import Server

MIB = 1 << 20
WAIT = 60.0
SCHEMAS = ordered(Schema.of(obj) for obj in flowcontrol.objects() if obj["kind"] == "FlowSchema")
ANN = User("ann", groups=("system:authenticated",))
NODE = User("system:node:n", groups=("system:nodes", "system:authenticated"))
MANAGER = User("system:kube-controller-manager", groups=("system:authenticated",))
ROOT = User("root", groups=(users.MASTERS, "system:authenticated"))
OPERATOR, OURS = users.service_account("shop", "operator"), users.service_account("kube-system", "dns")
PODS, LEASE = "/api/v1/namespaces/shop/pods", "/apis/coordination.k8s.io/v1/namespaces/{}/leases/l"


# -- where a request belongs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "method", "path", "schema", "level", "flow"),
    [
        (ROOT, "GET", PODS, "exempt", "exempt", ""),
        (users.ANONYMOUS, "GET", "/readyz", "probes", "exempt", ""),
        (users.ANONYMOUS, "GET", "/version", "global-default", "global-default", "system:anonymous"),
        (ANN, "GET", PODS, "global-default", "global-default", "ann"),
        (NODE, "GET", PODS, "system-nodes", "system", "system:node:n"),
        (NODE, "PATCH", "/api/v1/nodes/n/status", "system-node-high", "node-high", "system:node:n"),
        (NODE, "PUT", LEASE.format("kube-node-lease"), "system-node-high", "node-high", "system:node:n"),
        (MANAGER, "PUT", LEASE.format("kube-system"), "system-leader-election", "leader-election", MANAGER.name),
        (MANAGER, "GET", PODS, "kube-controller-manager", "workload-high", "shop"),
        (OURS, "GET", PODS, "kube-system-service-accounts", "workload-high", "shop"),
        (OPERATOR, "PUT", LEASE.format("shop"), "workload-leader-election", "leader-election", OPERATOR.name),
        (OPERATOR, "GET", PODS, "service-accounts", "workload-low", OPERATOR.name),
        (User("nobody"), "GET", PODS, "", "", ""),
    ],
)
def test_a_request_belongs_to_the_first_schema_that_matches(
    user: User, method: str, path: str, schema: str, level: str, flow: str
) -> None:
    info = parse(method, path, False)
    found = next((one for one in SCHEMAS if one.matches(user, info)), None)
    assert ((found and (found.name, found.level, found.flow(user, info))) or ("", "", "")) == (schema, level, flow)


@pytest.mark.parametrize(
    ("rule", "path", "fits"),
    [
        ({"namespaces": ["shop"]}, PODS, True),
        ({"namespaces": ["bank"]}, PODS, False),
        ({"clusterScope": True}, PODS, False),
        ({"clusterScope": True}, "/api/v1/pods", True),
        ({"namespaces": ["*"]}, "/api/v1/pods", False),
        ({"namespaces": ["*"]}, f"{PODS}/p/log", False),
        ({"namespaces": ["*"], "resources": ["pods/log"]}, f"{PODS}/p/log", True),
        ({"namespaces": ["*"], "apiGroups": ["apps"]}, PODS, False),
        ({"namespaces": ["*"], "verbs": ["watch"]}, PODS, False),
    ],
)
def test_rules_are_read_as_kubernetes_reads_them(rule: dict[str, Any], path: str, fits: bool) -> None:
    whole = {"verbs": ["*"], "apiGroups": [""], "resources": ["pods"]} | rule
    anybody = [{"kind": "User", "user": {"name": "*"}}]
    made = Schema("s", "", "l", 1, "", ({"subjects": anybody, "resourceRules": [whole]},))
    assert made.matches(ANN, parse("GET", path, False)) is fits


# -- whose turn it is ----------------------------------------------------------------------------------------------------


def level(seats: int, queues: int = 8, hand: int = 2, length: int = 50) -> Level:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": length}
    response = {"type": "Queue", "queuing": queuing} if queues else {"type": "Reject"}
    made = Level("l", hall := Hall())
    made.configure({"metadata": {}, "spec": {"type": "Limited", "limited": {"limitResponse": response}}})
    made.share(seats, seats)
    hall.seat([made])
    return made


def test_who_asks_little_does_not_wait_for_who_asks_much() -> None:
    async def run() -> list[str]:
        made, order = level(1, queues=64, hand=4), list[str]()

        async def ask(flow: str) -> None:
            seat = await made.enter(flow, 1)
            order.append(flow)
            await asyncio.sleep(0)
            seat.leave(asyncio.get_running_loop().time())

        tasks = [asyncio.create_task(ask("noisy")) for _ in range(40)]
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(ask("quiet")))
        await asyncio.gather(*tasks)
        assert (made.in_use, made.waiting, made.executing) == (0, 0, 0)
        return order

    assert asyncio.run(run()).index("quiet") < 5


def test_more_than_a_queue_holds_is_refused_and_a_level_without_queues_keeps_nobody_waiting() -> None:
    async def run() -> None:
        made = level(1, queues=1, hand=1, length=2)
        seat = await made.enter("a", 1)
        waiting = [asyncio.create_task(made.enter("a", 1)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Rejected, match="queue-full"):
            await made.enter("a", 1)
        for task in waiting:
            seat.leave(0.0)
            seat = await task
        none = level(1, queues=0)
        await none.enter("a", 1)
        with pytest.raises(Rejected, match="concurrency-limit"):
            await none.enter("b", 1)

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_who_is_not_waited_for_any_more_takes_no_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        made = level(1)
        seat = await made.enter("a", 1)
        given_up = asyncio.create_task(made.enter("b", 1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        assert made.waiting == 0
        monkeypatch.setattr("apiserver.fairness.levels.LONGEST", 0.01)
        with pytest.raises(Rejected, match="time-out"):
            await made.enter("c", 1)
        seat.leave(0.0)
        assert (made.in_use, made.waiting) == (0, 0)

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_a_level_without_seats_lets_nobody_in_whatever_is_given_back() -> None:
    async def run() -> None:
        made = level(1)
        seat = await made.enter("a", 1)
        waiting = asyncio.create_task(made.enter("b", 1))
        await asyncio.sleep(0)
        made.share(0, 0)
        seat.leave(0.0)
        await asyncio.sleep(0)
        assert not waiting.done() and made.waiting == 1
        made.share(1, 1)
        made.seat_more()
        (await waiting).leave(0.0)

    asyncio.run(asyncio.wait_for(run(), WAIT))


def hall(**levels: tuple[int, dict[str, int]]) -> dict[str, Level]:
    """Levels of so many seats, with what is said of lending."""
    whole, made = Hall(), dict[str, Level]()
    for name, (seats, said) in levels.items():
        queuing = {"queues": 16, "handSize": 4, "queueLengthLimit": 50}
        limited = {"limitResponse": {"type": "Queue", "queuing": queuing}, **said}
        made[name] = Level(name, whole)
        made[name].configure({"metadata": {}, "spec": {"type": "Limited", "limited": limited}})
        made[name].share(seats, sum(number for number, _ in levels.values()))
    whole.seat(made.values())
    return made


async def ask(level: Level, flows: Iterable[str]) -> list[asyncio.Task[Seat]]:
    tasks = [asyncio.create_task(level.enter(flow, 1)) for flow in flows]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


def test_what_a_level_does_not_use_others_borrow_and_it_has_its_part_back_at_once() -> None:
    async def run() -> None:
        levels = hall(small=(2, {}), large=(10, {"lendablePercent": 80}), firm=(3, {}))
        small, large = levels["small"], levels["large"]
        borrowed = await ask(small, map(str, range(20)))
        assert [task.done() for task in borrowed] == [True] * 10 + [False] * 10
        assert (small.in_use, small.limit, large.limit) == (10, 10, 2)
        own = await ask(large, "abcd")
        assert [task.done() for task in own] == [True, True, False, False]
        for task in borrowed[:2]:  # what comes free is for who has the smaller part of his own
            task.result().leave(0.0)
        await asyncio.sleep(0)
        assert all(task.done() for task in own) and (small.in_use, large.in_use) == (8, 4)
        assert all(task.done() for task in await ask(levels["firm"], "xyz"))

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_one_flow_has_no_more_than_its_levels_own_seats_and_another_need_not_wait() -> None:
    async def run() -> None:
        small = hall(small=(2, {}), large=(10, {"lendablePercent": 100}))["small"]
        noisy = await ask(small, ["noisy"] * 20)
        assert sum(task.done() for task in noisy) == 2
        (quiet,) = await ask(small, ["quiet"])
        assert quiet.done()

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_a_borrowing_limit_holds_and_no_borrowing_is_none() -> None:
    async def run(percent: int) -> int:
        level = hall(small=(2, {"borrowingLimitPercent": percent}), large=(10, {"lendablePercent": 100}))["small"]
        return sum(task.done() for task in await ask(level, map(str, range(12))))

    assert [asyncio.run(run(percent)) for percent in (0, 50, 150, 1000)] == [2, 3, 5, 12]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("pqrs"), st.booleans())))
def test_what_is_not_lent_is_always_there_and_no_seat_is_lost(steps: list[tuple[str, str, bool]]) -> None:
    """Each step asks, and leaves or gives up the oldest request."""

    async def run() -> None:
        levels = hall(a=(2, {"lendablePercent": 50}), b=(4, {"lendablePercent": 75}), c=(3, {}))
        asked: deque[asyncio.Task[Seat]] = deque()
        for name, flow, end in steps:
            asked.append(asyncio.create_task(levels[name].enter(flow, 1)))
            await asyncio.sleep(0)
            if end:
                oldest = asked.popleft()
                if oldest.done():
                    oldest.result().leave(0.0)
                oldest.cancel()
            assert sum(level.claimed for level in levels.values()) <= 9
            for level in levels.values():
                seats = {flow: held for flow, (_, held, _) in level.flows() if held}
                waiting = {flow for flow, (_, _, waits) in level.flows() if waits}
                assert level.in_use >= level.least or all(seats[flow] == level.seats for flow in waiting)
        for task in asked:
            task.cancel()
        for done in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(done, Seat):
                done.leave(0.0)
        assert [(one.in_use, one.waiting, one.executing, [*one.flows()]) for one in levels.values()] == [
            (0, 0, 0, [])
        ] * 3

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_who_has_left_a_moment_before_his_turn_takes_no_seat() -> None:
    async def run() -> None:
        made = level(1)
        seat = await made.enter("a", 1)
        (gone,) = await ask(made, "b")
        gone.cancel()
        seat.leave(0.0)  # before the waiting request hears that it was given up
        await asyncio.gather(gone, return_exceptions=True)
        assert (made.in_use, made.waiting) == (0, 0)

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_who_leaves_when_his_time_is_over_gives_back_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr("apiserver.fairness.levels.LONGEST", 0.0)
        made = level(1)
        await made.enter("a", 1)
        late = asyncio.create_task(made.enter("b", 1))
        while not made.waiting:
            await asyncio.sleep(0)
        while made.waiting:
            await asyncio.sleep(0)
            if not made.waiting:
                late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert (made.in_use, made.executing) == (1, 1)

    asyncio.run(asyncio.wait_for(run(), WAIT))


def test_what_is_wide_waits_until_it_has_room_and_never_for_ever() -> None:
    async def run() -> None:
        made = level(4)
        small: list[Seat] = [await made.enter("a", 1) for _ in range(3)]
        wide = asyncio.create_task(made.enter("b", 100))
        for seat in small:
            await asyncio.sleep(0)
            assert not wide.done()
            seat.leave(0.0)
        assert (await wide).width == 4 and made.in_use == 4

    asyncio.run(asyncio.wait_for(run(), WAIT))


@pytest.mark.parametrize(("queues", "hand"), [(1, 1), (8, 8), (64, 6), (512, 12), (10_000_000, 8)])
def test_a_hand_is_of_different_queues_and_always_the_same(queues: int, hand: int) -> None:
    for flow in ("", "a", "b" * 300):
        dealt = deal(flow, queues, hand)
        assert dealt == deal(flow, queues, hand) and len(set(dealt)) == hand and max(dealt) < queues


# -- what waits for a watch ----------------------------------------------------------------------------------------------


def watcher(account: Account, bound: int, ended: list[Watcher]) -> Watcher:
    registry.load()
    kind = registry.of_cluster(1).by_gvk("v1", "Pod")
    assert kind is not None
    made = Watcher(kind, None, None, View(), "", 0)
    made.belong(account, bound, lambda: ended.append(made))
    return made


def test_a_watch_that_is_not_read_ends_and_gives_back_what_it_held() -> None:
    async def run() -> None:
        account, ended = Account("ann"), list[Watcher]()
        made = watcher(account, 1 << 40, ended)
        for _ in range(MAX_PENDING // MIB):
            made.put(b"x" * MIB)
        assert account.bytes == made.size == MAX_PENDING and not ended
        made.put(b"x")
        assert made.overrun and ended == [made] and not made.pending and account.bytes == 0
        made.put(b"x")
        assert account.bytes == 0, "nothing is kept for a watch that has ended"

    asyncio.run(run())


def test_of_one_users_watches_the_slowest_ends() -> None:
    async def run() -> None:
        account, ended = Account("ann"), list[Watcher]()
        slow, quick = (watcher(account, 4 * MIB, ended) for _ in range(2))
        for _ in range(100):
            slow.put(b"x" * (MIB // 8))
            quick.put(b"x" * (MIB // 8))
            assert len(await quick.take()) <= CHUNK + MIB // 8
            assert account.bytes <= 4 * MIB + MIB // 8
        assert ended == [slow] and not quick.overrun

    asyncio.run(run())


# -- the server ----------------------------------------------------------------------------------------------------------

USERS = ("ann", "bob")
BOUNDS = {"WATCHES": "8", "REQUESTS": "6", "CONNECTIONS": "24"}


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with small bounds, two users who may view, and some objects."""
    settings = {f"BINNACLE_USER_{name}": value for name, value in BOUNDS.items()}
    with Server(tmp_path_factory.mktemp("fairness") / "var", BINNACLE_WRITE_SECONDS="2", **settings) as server:
        with (server.var / "pki" / "tokens.csv").open("a") as file:
            file.writelines(f"{name}-token,{name},{name}\n" for name in USERS)
        subjects = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name} for name in USERS]
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        server.request("POST", path, {"metadata": {"name": "all"}, "roleRef": role, "subjects": subjects})
        for number in range(40):
            body = {"metadata": {"name": f"big-{number}"}, "data": {"k": "x" * 200_000}}
            assert server.request("POST", "/api/v1/namespaces/default/configmaps", body)[0] == 201
        until(lambda: as_user(server, "ann", "/api/v1/pods")[0] == 200)
        yield server


def until(check: Callable[[], object]) -> None:
    end = time.monotonic() + WAIT
    while not check():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def as_user(server: Server, user: str, path: str) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of a GET on a connection of its own."""
    connection = server.connection()
    connection.request("GET", path, headers={"Authorization": f"Bearer {user}-token"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.headers.items()}, body


def silent(server: Server, user: str, path: str) -> ssl.SSLSocket:
    """Asks, and reads no more than the status."""
    context = ssl.create_default_context(cafile=server.ca)
    raw = socket.create_connection(("127.0.0.1", server.port))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made = context.wrap_socket(raw, server_hostname="127.0.0.1")
    made.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user}-token\r\n\r\n".encode())
    return made


def status(client: ssl.SSLSocket) -> int:
    return int(client.recv(12).split(b" ")[1])


def metric(server: Server, name: str) -> float:
    text = server.request("GET", "/metrics")[1].decode()
    return sum(
        float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))
    )


def test_an_answer_says_which_schema_and_level_it_came_by(bounded: Server) -> None:
    group = "/apis/flowcontrol.apiserver.k8s.io/v1"
    _, headers, _ = as_user(bounded, "ann", "/api/v1/pods")
    for header, path in (("flowschema", "flowschemas"), ("prioritylevel", "prioritylevelconfigurations")):
        stored = bounded.request("GET", f"{group}/{path}/global-default")[1]
        assert headers[f"x-kubernetes-pf-{header}-uid"] == stored["metadata"]["uid"]
    assert metric(bounded, "apiserver_flowcontrol_dispatched_requests_total") > 0
    assert metric(bounded, "apiserver_flowcontrol_nominal_limit_seats") >= 32


def test_watches_of_one_user_are_bounded_and_those_of_others_are_not_his(bounded: Server) -> None:
    watches = [silent(bounded, "ann", "/api/v1/pods?watch=true") for _ in range(12)]
    told = [status(one) for one in watches]
    assert sorted(told) == [200] * 8 + [429] * 4
    code, headers, body = as_user(bounded, "ann", "/api/v1/pods?watch=true")
    assert code == 429 and headers["retry-after"] == "1"
    assert json.loads(body)["reason"] == "TooManyRequests" and b'user \\"ann\\" has 8 watches' in body
    other = silent(bounded, "bob", "/api/v1/pods?watch=true")
    assert status(other) == 200
    assert metric(bounded, "apiserver_flowcontrol_rejected_requests_total") >= 5
    for one in (*watches, other):
        one.close()
    until(lambda: metric(bounded, "apiserver_longrunning_requests") == 0)


def test_connections_of_one_user_are_bounded(bounded: Server) -> None:
    def ask(client: ssl.SSLSocket, user: str) -> int:
        client.sendall(f"GET /version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user}-token\r\n\r\n".encode())
        return status(client)

    context = ssl.create_default_context(cafile=bounded.ca)
    clients = [
        context.wrap_socket(socket.create_connection(("127.0.0.1", bounded.port)), server_hostname="127.0.0.1")
        for _ in range(26)
    ]
    assert [ask(client, "ann") for client in clients] == [200] * 24 + [429] * 2
    assert as_user(bounded, "bob", "/version")[0] == 200
    for client in clients:
        client.close()
    until(lambda: as_user(bounded, "ann", "/version")[0] == 200)


@pytest.mark.serial
def test_who_reads_nothing_is_cut_and_the_memory_is_given_back(bounded: Server) -> None:
    as_user(bounded, "ann", "/api/v1/configmaps")
    before = resident(bounded.process.pid)
    # Each is of 8 MB, of which nothing is read.
    clients = [silent(bounded, "ann", f"/api/v1/configmaps?{'watch=true' if n % 2 else ''}") for n in range(12)]
    most = 0
    for number in range(40):
        body = {"metadata": {"name": "changing"}, "data": {"k": f"{number}" + "y" * 200_000}}
        if number == 0:
            bounded.request("POST", "/api/v1/namespaces/default/configmaps", body)
        else:
            bounded.request("PUT", "/api/v1/namespaces/default/configmaps/changing", body)
        most = max(most, resident(bounded.process.pid))
    until(lambda: metric(bounded, "apiserver_longrunning_requests") == 0)  # cut, by the time or by the bytes
    for client in clients:
        client.close()
    print(f"{(most - before) / MIB:.1f} MiB more at most, {(resident(bounded.process.pid) - before) / MIB:.1f} after")
    assert most - before < 64 * MIB
    until(lambda: resident(bounded.process.pid) - before < 40 * MIB)


def test_a_mandatory_level_comes_back_and_a_schema_without_level_says_so(bounded: Server) -> None:
    group = "/apis/flowcontrol.apiserver.k8s.io/v1"
    for path in ("flowschemas/catch-all", "prioritylevelconfigurations/catch-all"):
        bounded.request("DELETE", f"{group}/{path}")
    schema = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": "loose"},
        "spec": {
            "priorityLevelConfiguration": {"name": "nowhere"},
            "rules": [
                {
                    "subjects": [{"kind": "User", "user": {"name": "ann"}}],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                }
            ],
        },
    }
    assert bounded.request("POST", f"{group}/flowschemas", schema)[0] == 201
    assert as_user(bounded, "ann", "/version")[0] == 200, "what has no level is passed over"

    def dangling() -> str:
        found = bounded.request("GET", f"{group}/flowschemas/loose")[1]
        return str(
            [one["status"] for one in found.get("status", {}).get("conditions", ()) if one["type"] == "Dangling"]
        )

    until(lambda: dangling() == "['True']")
    until(lambda: bounded.request("GET", f"{group}/prioritylevelconfigurations/catch-all")[0] == 200)
    until(lambda: bounded.request("GET", f"{group}/flowschemas/catch-all")[0] == 200)
    level = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "nowhere"},
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 0,
                "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Reject"},
            },
        },
    }
    assert bounded.request("POST", f"{group}/prioritylevelconfigurations", level)[0] == 201
    until(lambda: dangling() == "['False']")
    until(lambda: as_user(bounded, "ann", "/version")[0] == 429)  # a level without a seat serves nobody
    assert bounded.request("DELETE", f"{group}/flowschemas/loose")[0] == 200
    until(lambda: as_user(bounded, "ann", "/version")[0] == 200)


def test_nothing_is_held_when_all_is_answered(bounded: Server) -> None:
    assert isinstance(bounded.var, Path)
    until(lambda: metric(bounded, "binnacle_apiserver_users") <= 1)  # who asks for the metrics
    assert metric(bounded, "apiserver_flowcontrol_current_inqueue_requests") == 0
    assert metric(bounded, "apiserver_flowcontrol_current_executing_seats") <= 1

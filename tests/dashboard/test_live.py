from __future__ import annotations

import time
from typing import Any

import pytest

from cluster.store import Key, Store, Write
from kube.users import AUTHENTICATED, MASTERS, User
from tests.dashboard import world
from tests.dashboard.drive import Page, live

ADMIN = User("root", groups=(MASTERS, AUTHENTICATED))
LOOKER = User("looker", groups=(AUTHENTICATED,))
Peopled = tuple[Store, dict[str, Any]]


def grant(store: Store, resources: list[str], namespace: str = "guestbook") -> dict[str, Any]:
    """Let LOOKER read some kinds in one namespace; returns the binding."""
    api = "rbac.authorization.k8s.io/v1"
    role = {
        "apiVersion": api,
        "kind": "Role",
        "metadata": world.meta("look", namespace),
        "rules": [{"apiGroups": ["", "apps"], "resources": resources, "verbs": ["get", "list"]}],
    }
    binding = {
        "apiVersion": api,
        "kind": "RoleBinding",
        "metadata": world.meta("look", namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"},
        "subjects": [{"kind": "User", "name": "looker", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    world.create(store, role, binding)
    return binding


def names(frame: dict[str, Any]) -> list[str]:
    return [row[2] for row in frame["rows"]]


def test_a_list_arrives_whole_and_then_moves(peopled: Peopled) -> None:
    store, _ = peopled

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="list", kind="pods")
        first = await page.wait_for("rows", 1)
        assert len(first["rows"]) == first["total"] == 6
        assert [c["name"] for c in first["columns"]][:3] == ["Ready", "Status", "Restarts"]
        new = world.pod("aaa", "guestbook")
        world.create(store, new)
        delta = await page.wait_for("delta", 1)
        assert names(delta) == ["aaa"]
        world.delete(store, new)
        assert (await page.wait_for("delta", 1))["gone"] == [[0, "guestbook", "aaa"]]

    live(ADMIN, story)


def test_filters_by_namespace_and_label_and_what_leaves_them(peopled: Peopled) -> None:
    store, things = peopled

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="list", kind="pods", ns="guestbook,ledger", labels="app in (web)")
        assert len((await page.wait_for("rows", 1))["rows"]) == 3
        moved = things["webs"][0]
        moved["metadata"]["labels"] = {"app": "other"}
        world.create(store, world.pod("unseen", "ledger"))
        world.update(store, moved)
        assert (await page.wait_for("delta", 1))["gone"] == [[0, "guestbook", moved["metadata"]["name"]]]
        await page.ask(op="sub", id=2, feed="list", kind="pods", labels="app in (")
        assert (await page.wait_for("error", 2))["code"] == 400

    live(ADMIN, story)


def test_resuming_sends_only_what_changed_since(peopled: Peopled) -> None:
    store, _ = peopled

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="list", kind="pods")
        rev = (await page.wait_for("rows", 1))["rev"]
        world.create(store, world.pod("later", "default"))
        await page.wait_for("delta", 1)  # the dashboard's cache has it
        await page.ask(op="unsub", id=1)
        await page.ask(op="sub", id=2, feed="list", kind="pods", since=rev)
        delta = await page.wait_for("delta", 2)
        assert names(delta) == ["later"]
        assert delta["resumed"]
        # From a revision that this cluster never had (another database), all is sent.
        await page.ask(op="sub", id=3, feed="list", kind="pods", since=10**9)
        assert len((await page.wait_for("rows", 3))["rows"]) == 7

    live(ADMIN, story)


def test_all_workloads_leave_out_replica_sets_that_a_deployment_stands_for(peopled: Peopled) -> None:
    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="list", kind="workloads")
        found = await page.wait_for("rows", 1)
        assert names(found) == ["web", "ledger"]
        assert [row[6][:2] for row in found["rows"]] == [["Deployment", "3/3"], ["Deployment", "0/2"]]

    live(ADMIN, story)


def test_who_may_see_nothing_sees_nothing(peopled: Peopled) -> None:
    async def story(page: Page) -> None:
        asks: list[dict[str, Any]] = [
            {"feed": "list", "kind": "pods"},
            {"feed": "list", "kind": "secrets"},
            {"feed": "list", "kind": "workloads"},
            {"feed": "object", "key": ["secrets", "guestbook", "web-db"]},
            {"op": "history", "key": ["secrets", "guestbook", "web-db"]},
        ]
        for number, ask in enumerate(asks):
            await page.ask(**{"op": "sub", "id": number + 1, **ask})
            assert (await page.wait_for("error", number + 1))["code"] == 403
        await page.ask(op="find", id=20, text="web")
        assert (await page.wait_for("answer", 20))["found"] == []
        await page.ask(op="sub", id=21, feed="kinds")
        assert (await page.wait_for("doc", 21))["doc"] == {"kinds": [], "namespaces": []}
        await page.ask(op="sub", id=22, feed="overview")
        doc = (await page.wait_for("doc", 22))["doc"]
        assert (doc["health"], doc["problems"], doc["warnings"], doc["changes"], doc["capacity"]) == (
            {},
            [],
            [],
            [],
            None,
        )

    live(LOOKER, story)


def test_rights_in_one_namespace_show_that_one_and_end_when_they_are_taken(peopled: Peopled) -> None:
    store, _ = peopled
    binding = grant(store, ["pods"])

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="list", kind="pods")
        found = await page.wait_for("rows", 1)
        assert {row[1] for row in found["rows"]} == {"guestbook"}
        await page.ask(op="sub", id=2, feed="overview")
        doc = (await page.wait_for("doc", 2))["doc"]
        assert list(doc["health"]) == ["pods"]
        assert {row["key"][1] for row in doc["problems"]} <= {"guestbook"}
        world.create(store, world.pod("elsewhere", "ledger"), world.pod("here", "guestbook"))
        assert names(await page.wait_for("delta", 1)) == ["here"]
        world.delete(store, binding)
        emptied = await page.wait_for("rows", 1)
        assert (emptied["rows"], emptied["first"]) == ([], True)

    live(LOOKER, story)


def test_of_a_namespace_that_one_may_not_see_it_is_not_said_that_nothing_is_there(peopled: Peopled) -> None:
    grant(peopled[0], ["pods"])

    async def story(page: Page) -> None:
        asks = [{"feed": "list", "kind": "pods"}, {"feed": "list", "kind": "workloads"}, {"feed": "overview"}]
        for number, ask in enumerate(asks):
            await page.ask(**{"op": "sub", "id": number, "ns": "ledger", **ask})
            assert (await page.wait_for("error", number))["code"] == 403
        await page.ask(op="sub", id=8, feed="list", kind="pods", ns="ledger,guestbook")
        assert {row[1] for row in (await page.wait_for("rows", 8))["rows"]} == {"guestbook"}
        await page.ask(op="sub", id=9, feed="overview")
        assert (await page.wait_for("doc", 9))["doc"]["rate"] is None, "it tells how much goes on elsewhere"

    live(LOOKER, story)


def test_an_object_page_leaves_out_kinds_that_one_may_not_list(peopled: Peopled) -> None:
    store, _ = peopled
    grant(store, ["deployments", "replicasets"])

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="object", key=["deployments.apps", "guestbook", "web"])
        doc = (await page.wait_for("doc", 1))["doc"]
        [replica_set] = doc["children"]["nodes"]
        assert replica_set["kind"] == "ReplicaSet"
        assert (replica_set["children"], doc["children"]["hidden"]) == ([], 3)
        assert doc["events"] == []

    live(LOOKER, story)


def test_an_object_page_moves_with_its_family_and_says_when_it_is_gone(peopled: Peopled) -> None:
    store, things = peopled

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="object", key=["deployments.apps", "guestbook", "web"])
        doc = (await page.wait_for("doc", 1))["doc"]
        assert len(doc["children"]["nodes"][0]["children"]) == 3
        world.create(store, world.pod("web-new", "guestbook", things["web_set"]))
        doc = (await page.wait_for("doc", 1))["doc"]
        assert len(doc["children"]["nodes"][0]["children"]) == 4
        world.delete(store, things["web"])
        assert (await page.wait_for("doc", 1))["doc"] is None
        await page.ask(op="history", id=2, key=["deployments.apps", "guestbook", "web"])
        assert [m["type"] for m in (await page.wait_for("answer", 2))["found"]] == ["DELETED", "ADDED"]

    live(ADMIN, story)


def test_credentials_never_leave_by_object_history_or_list(peopled: Peopled) -> None:
    async def story(page: Page) -> None:
        asks: list[dict[str, Any]] = [
            {"feed": "object", "key": ["pods", "guestbook", "web-7c9d6b5f44-4xk2p"]},
            {"feed": "object", "key": ["secrets", "guestbook", "web-db"]},
            {"feed": "list", "kind": "secrets"},
            {"op": "history", "key": ["secrets", "guestbook", "web-db"]},
            {"op": "history", "key": ["pods", "guestbook", "web-7c9d6b5f44-4xk2p"]},
        ]
        for number, ask in enumerate(asks):
            await page.ask(**{"op": "sub", "id": number + 1, **ask})
            while (frame := await page.frame()).get("id") != number + 1:
                pass
            assert frame["t"] in ("doc", "rows", "answer")
            text = str(frame)
            assert "hunter2" not in text
            assert "aHVudGVyMi" not in text

    live(ADMIN, story)


def test_credentials_never_leave_in_messages(peopled: Peopled) -> None:
    store, _ = peopled
    pod = world.pod("leaky", "guestbook")
    pod["spec"]["containers"][0]["command"] = ["sh", "-c", "mysql -u root -phunter2 shop"]
    pod["status"] |= {"phase": "Failed", "reason": "password=hunter2", "message": "mysql -phunter2: no such host"}
    world.create(
        store, pod, world.event(pod, "leaky.1", "Unhealthy", "probe failed: curl -u app:hunter2 https://x", "Warning")
    )

    async def story(page: Page) -> None:
        asks: list[dict[str, Any]] = [
            {"feed": "list", "kind": "events"},
            {"feed": "list", "kind": "pods"},
            {"feed": "object", "key": ["pods", "guestbook", "leaky"]},
            {"feed": "overview"},
            {"op": "history", "key": ["pods", "guestbook", "leaky"]},
        ]
        for number, ask in enumerate(asks):
            await page.ask(**{"op": "sub", "id": number + 1, **ask})
            while (frame := await page.frame()).get("id") != number + 1:
                pass
            assert frame["t"] in ("doc", "rows", "answer")
            assert "leaky" in str(frame) and "hunter2" not in str(frame)

    live(ADMIN, story)


def test_the_failing_pod_is_explained_with_evidence(peopled: Peopled) -> None:
    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="object", key=["pods", "ledger", "ledger-5f6d8c7b9-hq2vn"])
        doc = (await page.wait_for("doc", 1))["doc"]
        assert [f["title"] for f in doc["why"]] == [
            "Container ledger: CrashLoopBackOff",
            "Container ledger last ended with exit code 1",
        ]
        assert doc["why"][0]["evidence"][0]["name"] == "ledger.backoff"
        assert [o["kind"] for o in doc["owners"]] == ["ReplicaSet", "Deployment"]

    live(ADMIN, story)


def test_the_page_of_a_workload_says_why_its_pod_fails(peopled: Peopled) -> None:
    store, _ = peopled
    key = ["deployments.apps", "ledger", "ledger"]

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="object", key=key)
        cause = (await page.wait_for("doc", 1))["doc"]["cause"]
        assert cause["pod"] == ["pods", "ledger", "ledger-5f6d8c7b9-hq2vn"]
        assert cause["why"][0]["title"] == "Container ledger: CrashLoopBackOff"
        await page.ask(op="sub", id=2, feed="object", key=["deployments.apps", "guestbook", "web"])
        assert "cause" not in (await page.wait_for("doc", 2))["doc"], "it does what it should"

    async def without_the_right(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="object", key=key)
        assert (await page.wait_for("doc", 1))["doc"]["cause"] is None

    live(ADMIN, story)
    grant(store, ["deployments", "replicasets"], "ledger")
    live(LOOKER, without_the_right)


def test_what_runs_for_a_moment_between_two_failures_fails_since_the_first(peopled: Peopled) -> None:
    store, things = peopled
    pod = things["webs"][0]
    name = pod["metadata"]["name"]
    started = time.time()

    def report(status: dict[str, Any], reason: str = "CrashLoopBackOff") -> None:
        if "waiting" in (state := status["containerStatuses"][0]["state"]):
            state["waiting"]["reason"] = reason
        world.update(store, {**pod, "status": status})

    async def since(page: Page, reason: str) -> float:
        while True:
            doc = (await page.wait_for("doc", 1))["doc"]
            for row in doc["problems"]:
                if (row["key"][2], row["reason"]) == (name, reason):
                    return float(row["since"])

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        await page.wait_for("doc", 1)
        report(world.crashing("web"), "ErrImagePull")
        first = await since(page, "ErrImagePull")
        assert first >= started
        report(world.crashing("web"), "ImagePullBackOff")
        assert await since(page, "ImagePullBackOff") == first, "the same trouble under another name"
        report(world.running("web", 2))
        report(world.crashing("web"))
        assert await since(page, "CrashLoopBackOff") == first

    async def after_a_restart(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        assert await since(page, "CrashLoopBackOff") >= started, "the log tells since when, not the last change"

    live(ADMIN, story)
    live(ADMIN, after_a_restart)


def test_the_overview_says_what_is_wrong(peopled: Peopled) -> None:
    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        doc = (await page.wait_for("doc", 1))["doc"]
        assert {(p["key"][0], p["reason"]) for p in doc["problems"]} == {
            ("nodes", "Unknown"),
            ("pods", "CrashLoopBackOff"),
            ("pods", "Unschedulable"),
            ("deployments.apps", "MinimumReplicasUnavailable"),
        }
        assert [w["reason"] for w in doc["warnings"]] == ["FailedScheduling", "Unhealthy", "BackOff"]
        assert doc["capacity"]["cpu"] == {"have": 24_000, "asked": 1_250}  # without the pod that has no node
        assert doc["changes"][0]["key"][0] == "serviceaccounts"

    live(ADMIN, story)


def test_what_changed_is_what_was_wanted_and_the_health_that_came_of_it_not_each_step(peopled: Peopled) -> None:
    store, things = peopled

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        await page.wait_for("doc", 1)
        web = things["webs"][0]
        web["status"]["startTime"] = world.ago(1)
        world.update(store, web)
        web["metadata"]["labels"] = {**web["metadata"]["labels"], "seen": "yes"}
        world.update(store, web)
        things["web"]["status"]["observedGeneration"] = 3
        world.update(store, things["web"])
        things["broken"]["status"] = world.running("ledger", 10)
        world.update(store, things["broken"])
        told: list[tuple[str, str]] = []
        while ("pods", things["broken"]["metadata"]["name"]) not in told:
            doc = (await page.wait_for("doc", 1))["doc"]
            told = [(c["key"][0], c["key"][2]) for c in doc["changes"] if c["type"] == "MODIFIED"]
        assert told == [("pods", things["broken"]["metadata"]["name"]), ("pods", web["metadata"]["name"])]
        assert next(c["times"] for c in doc["changes"] if c["key"][2] == web["metadata"]["name"]) == 1

    live(ADMIN, story)


def test_what_flaps_is_told_once_and_hides_nothing_else(peopled: Peopled) -> None:
    store, things = peopled
    web, broken = things["web"], things["broken"]["metadata"]["name"]

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        await page.wait_for("doc", 1)
        web["spec"]["replicas"] = 7
        world.update(store, web)
        for number in range(6):
            things["broken"]["status"] = world.running("ledger", 10) if number % 2 else world.crashing("ledger")
            things["broken"]["metadata"]["labels"] = {"turn": str(number)}
            world.update(store, things["broken"])
        times: dict[str, int] = {}
        while times.get(broken) != 6:
            changes = (await page.wait_for("doc", 1))["doc"]["changes"]
            times = {c["key"][2]: c["times"] for c in changes if c["type"] == "MODIFIED"}
        assert list(times.items()) == [(broken, 6), ("web", 1)]
        assert len({(c["type"], *c["key"]) for c in changes}) == len(changes)

    live(ADMIN, story)


def test_the_log_tells_of_before_the_dashboard_began(peopled: Peopled) -> None:
    store, things = peopled
    things["webs"][0]["status"]["startTime"] = world.ago(1)
    world.update(store, things["webs"][0])
    things["web"]["spec"]["replicas"] = 4
    world.update(store, things["web"])

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        changes = (await page.wait_for("doc", 1))["doc"]["changes"]
        assert [c["key"] for c in changes if c["type"] == "MODIFIED"] == [["deployments.apps", "guestbook", "web"]]

    live(ADMIN, story)


def test_beats_tell_the_age_of_what_lies_behind(peopled: Peopled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_API_URL", "http://127.0.0.1:9")

    async def story(page: Page) -> None:
        started = time.time()
        while (beat := await page.wait_for("beat"))["health"]["api"]["up"] is None:
            pass
        assert beat["health"]["store"]["up"] is True
        assert beat["health"]["api"] == {"up": False, "age": None, "why": "does not answer (ConnectionRefusedError)"}
        assert started <= beat["now"] <= time.time()

    live(ADMIN, story)


def test_bad_requests_are_answered_and_the_page_lives_on(peopled: Peopled) -> None:
    bad: list[tuple[dict[str, Any], int]] = [
        ({"op": "delete", "id": 1}, 400),
        ({"op": "sub", "id": 1, "feed": "x"}, 400),
        ({"op": "sub"}, 400),
        ({"op": "sub", "id": 1, "feed": "list", "kind": "nope"}, 404),
        ({"op": "sub", "id": -1}, 400),
        ({"op": "sub", "id": 1, "feed": "object", "key": "pods"}, 400),
        ({"op": "sub", "id": 1, "feed": "object", "key": ["pods", "x", 7]}, 400),
        ({"op": "history", "id": 1, "key": [1, 2, 3]}, 400),
    ]

    async def story(page: Page) -> None:
        for message, code in bad:
            await page.ask(**message)
            assert (await page.wait_for("error"))["code"] == code, message
        await page.wait_for("beat")

    live(ADMIN, story)


def test_a_custom_kind_appears_with_its_printer_columns_and_goes(peopled: Peopled) -> None:
    store, _ = peopled
    definition = world.definition(
        "ships",
        "Ship",
        [
            {"name": "Captain", "type": "string", "jsonPath": ".spec.captain"},
            {"name": "Sailed", "type": "date", "jsonPath": ".status.sailed"},
        ],
    )

    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="kinds")
        doc = (await page.wait_for("doc", 1))["doc"]
        assert "ships.example.com" not in {kind["storage"] for kind in doc["kinds"]}
        world.create(store, definition)
        doc = (await page.wait_for("doc", 1))["doc"]
        assert "ships.example.com" in {kind["storage"] for kind in doc["kinds"]}
        ship = {
            "apiVersion": "example.com/v1",
            "kind": "Ship",
            "metadata": world.meta("beagle", "default"),
            "spec": {"captain": "FitzRoy", "adminPassword": "hunter2"},
            "status": {"sailed": "2026-01-02T03:04:05Z"},
        }
        store.write(Write("create", Key("ships.example.com", "default", "beagle"), ship))
        await page.ask(op="sub", id=2, feed="list", kind="ships.example.com")
        found = await page.wait_for("rows", 2)
        assert [column["name"] for column in found["columns"]] == ["Captain", "Sailed"]
        assert found["rows"][0][6] == ["FitzRoy", ["@", 1767323045.0, "", ""]]
        await page.ask(op="sub", id=3, feed="object", key=["ships.example.com", "default", "beagle"])
        assert "hunter2" not in str(await page.wait_for("doc", 3))
        world.delete(store, definition)
        while "ships.example.com" in str((await page.wait_for("doc", 1))["doc"]["kinds"]):
            pass

    live(ADMIN, story)

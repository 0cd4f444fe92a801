"""What pods and nodes use now: who may see it, how often it is read, and what a page is told when there is nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.store import Store
from dashboard import usage
from tests.dashboard import fakemetrics, world
from tests.dashboard.drive import Page, live
from tests.dashboard.fakemetrics import Api
from tests.dashboard.test_live import ADMIN, LOOKER, grant

Peopled = tuple[Store, dict[str, Any]]
WEB, OTHER, SYSTEM = (
    ["guestbook", "web-7c9d6b5f44-4xk2p"],
    ["guestbook", "no-such"],
    ["kube-system", "dashboard-6f7d9-b8kq2"],
)


@pytest.fixture
def metrics(peopled: Peopled, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with fakemetrics.serving() as made:
        monkeypatch.setenv("BINNACLE_API_URL", f"http://127.0.0.1:{made.port}")
        world.create(peopled[0], fakemetrics.service())
        yield made


def told(user: Any, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to questions on one socket, or the errors."""
    found: list[dict[str, Any]] = []

    async def story(page: Page) -> None:
        for number, message in enumerate(messages, 7):
            await page.ask(op="usage", id=number, **message)
            while (frame := await page.frame()).get("id") != number:
                pass
            found.append(frame)

    live(user, story)
    return found


def test_rows_that_are_asked_for_and_the_total_of_all(metrics: Api) -> None:
    started = time.time()
    [told_] = told(ADMIN, {"kind": "pods", "rows": [WEB, OTHER], "sum": True})
    found = told_["found"]
    [[namespace, name, cpu, memory, measured]] = found["rows"]
    assert ([namespace, name], cpu, memory) == (WEB, 100, 64 << 20)
    assert started - 6 <= measured < time.time(), "5 s ago in whole seconds, as the answer says"
    assert found["total"][:2] == [650, 538 << 20]
    assert found["total"][2] >= measured
    assert found["refused"] == []


def test_all_rows_and_nodes(metrics: Api) -> None:
    pods, nodes = told(ADMIN, {"kind": "pods", "rows": None}, {"kind": "nodes", "rows": [["", "harbor-1"]]})
    assert sorted(tuple(row[:2]) for row in pods["found"]["rows"]) == sorted(fakemetrics.PODS)
    assert nodes["found"]["rows"][0][:4] == ["", "harbor-1", 1500, 4096 << 20]


def test_one_reading_serves_all_who_look(metrics: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    told(ADMIN, *({"kind": "pods", "rows": [WEB]} for _ in range(5)))
    assert metrics.asked == [fakemetrics.PREFIX + "pods"]
    metrics.asked.clear()
    monkeypatch.setattr(usage, "KEEP", 0.0)
    told(ADMIN, *({"kind": "pods", "ns": "guestbook", "rows": [WEB]} for _ in range(2)))
    assert metrics.asked == [fakemetrics.PREFIX + "namespaces/guestbook/pods"] * 2


def test_only_what_the_user_may_list_and_what_is_refused_is_said(metrics: Api, peopled: Peopled) -> None:
    grant(peopled[0], ["pods"])
    rows = {"kind": "pods", "rows": [WEB, SYSTEM], "sum": True}
    [refused] = told(LOOKER, rows)
    assert (refused["code"], refused["message"]) == (403, "you may not list pods.metrics.k8s.io")
    assert metrics.asked == []
    world.create(peopled[0], *_may_see_metrics())
    allowed, everything, nodes = told(LOOKER, rows, {"kind": "pods", "rows": None}, {"kind": "nodes", "rows": None})
    assert [row[:2] for row in allowed["found"]["rows"]] == [WEB]
    assert (allowed["found"]["refused"], allowed["found"]["total"][0]) == (["kube-system"], 600)
    assert {row[0] for row in everything["found"]["rows"]} == {"guestbook"}
    assert nodes["code"] == 403


def _may_see_metrics() -> list[dict[str, Any]]:
    api = "rbac.authorization.k8s.io/v1"
    role = {
        "apiVersion": api,
        "kind": "Role",
        "metadata": world.meta("metrics", "guestbook"),
        "rules": [{"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "nodes"], "verbs": ["list"]}],
    }
    return [
        role,
        {
            "apiVersion": api,
            "kind": "RoleBinding",
            "metadata": world.meta("metrics", "guestbook"),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "metrics"},
            "subjects": [{"kind": "User", "name": "looker", "apiGroup": "rbac.authorization.k8s.io"}],
        },
    ]


def test_a_page_is_told_why_there_is_nothing_and_it_is_asked_again(metrics: Api) -> None:
    metrics.status = 503
    [answer] = told(ADMIN, {"kind": "pods", "rows": [WEB]})
    assert answer["found"] == {"silent": "away", "text": "No figures of what pods use: as the test wants it"}
    metrics.status = 200
    [answer] = told(ADMIN, {"kind": "pods", "rows": [WEB]})
    assert answer["found"]["rows"]


def test_without_the_addon_nothing_is_asked(peopled: Peopled) -> None:
    [answer] = told(ADMIN, {"kind": "pods", "rows": [WEB]})
    assert answer["found"]["silent"] == "off" and "addon metrics is switched off" in answer["found"]["text"]


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        ({"kind": "services", "rows": []}, 404, "not measured"),
        ({"kind": "pods", "rows": "web"}, 400, "rows are"),
        ({"kind": "pods", "rows": [["a", 1]]}, 400, "rows are"),
        ({"kind": "pods", "rows": [["a", "b"]] * 501}, 400, "up to 500"),
    ],
)
def test_bad_questions(peopled: Peopled, message: dict[str, Any], code: int, words: str) -> None:
    [found] = told(ADMIN, message)
    assert found["code"] == code and words in found["message"]


def test_a_list_tells_requests_limits_and_what_nodes_have(peopled: Peopled) -> None:
    async def story(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="list", kind="pods", ns="guestbook")
        assert (await page.wait_for("rows", 1))["rows"][0][7] == [250, 0, 128 << 20, 256 << 20]
        await page.ask(op="sub", id=2, feed="list", kind="nodes")
        assert (await page.wait_for("rows", 2))["rows"][0][7] == [0, 8000, 0, 16 << 30]

    live(ADMIN, story)

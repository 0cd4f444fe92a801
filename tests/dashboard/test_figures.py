"""Who may see which charts, what monitoring is asked, and what a page is told when it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.store import Store
from tests.dashboard import fakemonitoring, world
from tests.dashboard.drive import Page, live
from tests.dashboard.fakemonitoring import Monitoring
from tests.dashboard.test_live import ADMIN, LOOKER, grant

Peopled = tuple[Store, dict[str, Any]]
POD = ["pods", "guestbook", "web-7c9d6b5f44-4xk2p"]


@pytest.fixture
def monitoring(peopled: Peopled) -> Iterator[Monitoring]:
    with fakemonitoring.serving() as made:
        world.create(peopled[0], fakemonitoring.service(made.port))
        yield made


def told(user: Any, **message: Any) -> dict[str, Any]:
    """The answer to one question, or the error."""
    found: dict[str, Any] = {}

    async def story(page: Page) -> None:
        await page.ask(op="figures", id=7, **{"range": "1h", **message})
        while found.get("id") != 7:
            found.clear()
            found.update(await page.frame())

    live(user, story)
    return found


def test_a_pod_has_figures_and_its_requests_as_lines(monitoring: Monitoring) -> None:
    found = told(ADMIN, key=POD)["found"]
    assert monitoring.asked == [
        {
            "metric": "cpu,memory,rx,tx,fs,restarts",
            "namespace": "guestbook",
            "pod": POD[2],
            "by": "container",
            "range": "1h",
        }
    ]
    assert found["lines"] == {"cpu": [["requested", 0.25]], "memory": [["requested", 128 << 20], ["limit", 256 << 20]]}
    assert len(found["times"]) == len(found["figures"]["cpu"]["total"]) <= 500


def test_a_time_that_is_over(monitoring: Monitoring) -> None:
    assert "found" in told(ADMIN, key=POD, range="15m", to=1_700_000_000)
    assert (monitoring.asked[0]["range"], monitoring.asked[0]["to"]) == ("15m", "1700000000")
    for wrong in ("yesterday", -1, 1 << 50):
        assert "since the epoch" in told(ADMIN, key=POD, to=wrong)["message"]


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        (
            ["deployments.apps", "guestbook", "web"],
            {"namespace": "guestbook", "workload": "Deployment/web", "by": "pod"},
        ),
        (["namespaces", "", "guestbook"], {"namespace": "guestbook", "by": "workload"}),
        (["nodes", "", "harbor-1"], {"node": "harbor-1", "by": "pod"}),
        (None, {"by": "namespace"}),
    ],
)
def test_what_monitoring_is_asked_of_each_page(monitoring: Monitoring, key: Any, asked: dict[str, str]) -> None:
    found = told(ADMIN, key=key)["found"]
    [query] = monitoring.asked
    assert {name: value for name, value in query.items() if name not in ("metric", "range")} == asked
    assert found["lines"]["cpu"][0][1] > 0


def test_the_lines_of_a_workload_are_those_of_all_its_pods(monitoring: Monitoring) -> None:
    found = told(ADMIN, key=["deployments.apps", "guestbook", "web"])["found"]
    assert found["lines"] == {
        "cpu": [["requested", 0.75]],
        "memory": [["requested", 3 * 128 << 20], ["limit", 3 * 256 << 20]],
    }


@pytest.mark.parametrize(
    "key",
    [
        ["pods", "ledger", "ledger-5f6d8c7b9-hq2vn"],
        ["deployments.apps", "ledger", "ledger"],
        ["namespaces", "", "ledger"],
        ["nodes", "", "harbor-1"],
        None,
    ],
)
def test_without_the_right_nothing_is_asked(monitoring: Monitoring, peopled: Peopled, key: Any) -> None:
    grant(peopled[0], ["pods", "deployments"])  # in the namespace guestbook
    assert told(LOOKER, key=key)["code"] == 403
    assert monitoring.asked == []
    assert "found" in told(LOOKER, key=POD) and "found" in told(LOOKER, key=None, ns="guestbook")


def test_a_workload_shows_nothing_to_who_may_not_list_its_pods(monitoring: Monitoring, peopled: Peopled) -> None:
    grant(peopled[0], ["deployments"])
    assert told(LOOKER, key=["deployments.apps", "guestbook", "web"])["code"] == 403
    assert monitoring.asked == []


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        ({"key": POD, "range": "9y"}, 400, "range: '9y' cannot be asked for; it may be 15m, 1h"),
        ({"key": ["configmaps", "guestbook", "web-config"]}, 404, "there are no figures of configmaps"),
        ({"key": None, "ns": "guestbook,ledger"}, 404, "choose one"),
        ({"key": "web"}, 400, "a key is a list"),
    ],
)
def test_bad_questions(monitoring: Monitoring, message: dict[str, Any], code: int, words: str) -> None:
    found = told(ADMIN, **message)
    assert found["code"] == code and words in found["message"]


def test_a_page_is_told_why_there_is_nothing(monitoring: Monitoring, peopled: Peopled) -> None:
    for mode, why, words in (
        ("refused", "refused", "as the test wants it"),
        ("broken", "away", "as the test wants it"),
        ("deaf", "away", "No answer from monitoring"),
    ):
        monitoring.mode = mode
        found = told(ADMIN, key=POD)["found"]
        assert found["silent"] == why and words in found["text"], found
    world.create(peopled[0], fakemonitoring.switch(False))
    found = told(ADMIN, key=POD)["found"]
    assert found == {"silent": "off", "text": "Monitoring is switched off: no figures are taken."}


def test_the_dashboard_shows_its_own_token(
    monitoring: Monitoring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("the-dashboards-own\n")
    monkeypatch.setenv("BINNACLE_SERVICE_ACCOUNT_DIR", str(tmp_path))
    told(ADMIN, key=POD)
    assert monitoring.tokens == ["Bearer the-dashboards-own"]

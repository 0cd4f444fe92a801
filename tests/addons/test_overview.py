"""The dashboard's overview tells how each addon is, to whom may see its ConfigMap."""

from __future__ import annotations

from typing import Any

from cluster.store import Store
from kube.users import AUTHENTICATED, MASTERS, User
from tests.dashboard import world
from tests.dashboard.conftest import pages, peopled
from tests.dashboard.drive import Page, live

__all__ = ["pages", "peopled"]
ADMIN = User("root", groups=(MASTERS, AUTHENTICATED))
LOOKER = User("looker", groups=(AUTHENTICATED,))


def config(name: str, **notes: str) -> dict[str, Any]:
    annotations = {f"addons.binnacle/{key}": text for key, text in notes.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {"enabled": "true"},
        "metadata": world.meta(name, "kube-system", annotations=annotations),
    }


def test_the_overview_tells_of_each_addon(peopled: tuple[Store, dict[str, Any]]) -> None:
    store, _ = peopled
    world.create(
        store,
        config("addon-dns", state="healthy"),
        config("addon-metrics", state="off"),
        config("addon-logging", state="not healthy", health="DaemonSet shipper: 0 of 1 pods are ready"),
        config("addon-mine", state="healthy", refused="ttl", error="ttl: is no number"),
        config("addon-x"),
        config("other", state="healthy"),
    )

    async def told(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        doc = (await page.wait_for("doc", 1))["doc"]
        assert [(row["name"], row["level"], row["state"], row["why"]) for row in doc["addons"]] == [
            ("dns", 0, "healthy", ""),
            ("logging", 2, "not healthy", "DaemonSet shipper: 0 of 1 pods are ready"),
            ("metrics", 3, "off", ""),
            ("mine", 1, "healthy, a change is refused", "ttl: is no number"),
        ]

    async def nothing(page: Page) -> None:
        await page.ask(op="sub", id=1, feed="overview")
        assert (await page.wait_for("doc", 1))["doc"]["addons"] == []

    live(ADMIN, told)
    live(LOOKER, nothing)

"""The admin page: only for those with the permission; it switches through the cluster and leaves a trail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session


@pytest.fixture
def session(pages: Path) -> Iterator[Session]:
    """A cluster with the ConfigMap of the dashboard's addon in it."""
    from addons import status

    store = Store.of(1)
    cache = Cache(store)
    cache.refresh()
    made = Session(1, "test", cache, store)
    made.create("namespaces", "", {"metadata": {"name": "kube-system"}})
    made.create("configmaps", "kube-system", {"metadata": {"name": "addon-dashboard"}, "data": {"enabled": "true"}})
    status._cache.cache_clear()
    yield made
    status._cache.cache_clear()
    store.close()


def client(superuser: bool) -> Any:
    from django.contrib.auth.models import User
    from django.test import Client

    account = User.objects.create_user("anna", password="x" * 12, is_staff=True, is_superuser=superuser)
    made = Client()
    made.force_login(account)
    return made


def test_the_page_shows_the_addons_and_switches_one(session: Session) -> None:
    admin = client(superuser=True)
    page = admin.get("/admin/").content.decode()
    assert "Dashboard" in page and "Switch off" in page
    answer = admin.post("/admin/switch/dashboard/", {"enabled": "false"})
    assert answer.status_code == 302
    found = session.get("configmaps", "kube-system", "addon-dashboard")
    assert found and found["data"]["enabled"] == "false"
    page = admin.get("/admin/").content.decode()
    assert "Switch on" in page and "Switched off" in page, "the switch, and who used it"


def test_without_the_permission_nothing_is_shown_or_switched(session: Session) -> None:
    other = client(superuser=False)
    assert other.get("/admin/").status_code == 302
    assert other.post("/admin/switch/dashboard/", {"enabled": "false"}).status_code in (302, 403)
    found = session.get("configmaps", "kube-system", "addon-dashboard")
    assert found and found["data"]["enabled"] == "true"


def test_what_is_not_a_switch_is_refused(session: Session) -> None:
    admin = client(superuser=True)
    assert admin.post("/admin/switch/dashboard/", {"enabled": "maybe"}).status_code == 400
    assert admin.post("/admin/switch/nothing/", {"enabled": "true"}).status_code == 400


def test_its_styles_are_served(pages: Path) -> None:
    from django.test import Client

    answer = Client().get("/admin/static/admin/css/base.css")
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/css")

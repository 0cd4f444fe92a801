"""The read-only admin of objects and changes: who sees it, what it hides, and that nothing of it writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.store import Store
from tests.addons.test_admin import client, text
from tests.dashboard import world
from tests.dashboard.conftest import pages

__all__ = ["pages"]

OBJECTS, CHANGES = "/admin/cluster/object/", "/admin/cluster/change/"
HOSTILE = "<script>window.pwned=1</script>\"'"


@pytest.fixture
def store(pages: Path) -> Iterator[Store]:
    made = Store.of(1)
    world.populate(made)
    yield made
    made.close()


@pytest.fixture
def viewer(store: Store) -> Any:
    return client("view_object")


def number(storage: str, name: str) -> int:
    from cluster.models import Object

    return int(Object.objects.get(storage=storage, name=name).pk)


def names(page: Any) -> list[str]:
    """The names of the rows of a list."""
    assert page.status_code == 200
    return re.findall(r'field-name"><a href="/admin/cluster/\w+/\d+/[^"]*">([^<]+)</a>', text(page))


def test_a_list_is_narrowed_by_kind_namespace_and_name(viewer: Any) -> None:
    everything = names(viewer.get(OBJECTS))
    assert {"web", "ledger", "web-db"} <= set(everything)
    pods = names(viewer.get(OBJECTS, {"kind": "pods"}))
    assert len(pods) == 6
    assert names(viewer.get(OBJECTS, {"kind": "pods", "namespace": "ledger"})) == [
        "ledger-5f6d8c7b9-hq2vn",
        "ledger-5f6d8c7b9-w7d4s",
    ]
    assert names(viewer.get(OBJECTS, {"kind": "pods", "q": "HQ2VN ledger"})) == ["ledger-5f6d8c7b9-hq2vn"]
    assert set(names(viewer.get(OBJECTS, {"namespace": "-", "kind": "namespaces"}))) == {
        "default",
        "kube-system",
        "guestbook",
        "ledger",
    }
    page = text(viewer.get(OBJECTS))
    assert "Deployment" in page and "guestbook" in page


def test_a_page_shows_an_object_and_its_changes_with_links(viewer: Any, store: Store) -> None:
    changed = world.deployment("web", "guestbook", 4, 3)
    world.update(store, changed)
    page = text(viewer.get(f"{OBJECTS}{number('deployments.apps', 'web')}/"))
    assert "Deployment guestbook/web" in page and "&quot;replicas&quot;: 4" in page
    revisions = re.findall(rf'href="{CHANGES}(\d+)/"', page)
    assert len(revisions) == 2 and "ADDED" in page and "MODIFIED" in page
    earlier = text(viewer.get(f"{CHANGES}{revisions[1]}/"))
    assert "&quot;replicas&quot;: 3" in earlier and "This is an earlier state" in earlier


def test_a_deleted_object_is_found_in_the_log(viewer: Any, store: Store) -> None:
    gone = world.config_map("gone", "default", {"a": "b"})
    world.create(store, gone)
    place = f"{OBJECTS}{number('configmaps', 'gone')}/"
    world.delete(store, gone)
    assert viewer.get(place).status_code == 404
    listed = viewer.get(CHANGES, {"q": "gone"})
    assert names(listed) == ["gone", "gone"] and "DELETED" in text(listed)
    assert "This object is gone" in text(viewer.get(f"{CHANGES}{store.revision()}/"))
    assert viewer.get(f"{CHANGES}{store.revision() + 9}/").status_code == 404


def test_secrets_and_credentials_are_masked_everywhere(viewer: Any, store: Store) -> None:
    hidden = ("hunter2", "aHVudGVyMi12ZXJ5LXNlY3JldA")
    for storage, name in (("secrets", "web-db"), ("pods", "web-7c9d6b5f44-4xk2p")):
        page = viewer.get(f"{OBJECTS}{number(storage, name)}/")
        assert "••••••" in text(page)
        log = re.findall(rf'href="({CHANGES}\d+/)"', text(page))
        assert log
        for shown in (page, *(viewer.get(one) for one in log)):
            assert not any(word in text(shown) for word in hidden)


@pytest.mark.parametrize(
    "query",
    [
        {"body__contains": "hunter2"},
        {"state__body__contains": "hunter2"},
        {"name__regex": "(a+)+$"},
        {"cluster__kubeconfig__contains": "x"},
    ],
)
def test_nothing_is_asked_of_a_row_but_by_the_filters(viewer: Any, query: dict[str, str]) -> None:
    for place in (OBJECTS, CHANGES):
        assert viewer.get(place, query).status_code == 400


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_no_method_writes(store: Store, method: str) -> None:
    admin, before = client(superuser=True), store.revision()
    page = number("pods", "web-7c9d6b5f44-4xk2p")
    for place in (OBJECTS, CHANGES, f"{OBJECTS}{page}/", f"{CHANGES}{before}/"):
        data = {"action": "delete_selected", "_selected_action": str(page), "post": "yes", "name": "changed"}
        answer = getattr(admin, method)(place, data) if method == "post" else getattr(admin, method)(place)
        assert answer.status_code == 405, place
    assert store.revision() == before and number("pods", "web-7c9d6b5f44-4xk2p") == page


@pytest.mark.parametrize("rest", ["add/", "{}/delete/", "{}/history/", "{}/change/", "autocomplete/"])
def test_there_is_no_page_that_would_change_something(store: Store, rest: str) -> None:
    admin = client(superuser=True)
    assert admin.get(OBJECTS + rest.format(number("secrets", "web-db"))).status_code == 404


def test_all_addresses_are_a_list_and_a_page(pages: Path) -> None:
    from addons.admin import site

    for model, shown in site._registry.items():
        assert model.__name__ in ("Object", "Change") and len(shown.get_urls()) == 2


def test_only_who_may_look_sees_it(store: Store) -> None:
    page = f"{OBJECTS}{number('pods', 'web-7c9d6b5f44-4xk2p')}/"
    places = (OBJECTS, CHANGES, page, f"{CHANGES}1/")
    addons = client("view_switch", "change_switch", name="berta")
    stranger = client(name="carl")
    from django.test import Client

    for place in places:
        assert addons.get(place).status_code == 403
        assert stranger.get(place).status_code == 302
        assert Client().get(place).status_code == 302
    assert "/admin/cluster/" not in text(addons.get("/admin/"))


def test_who_may_see_objects_does_not_see_the_addons(viewer: Any) -> None:
    assert viewer.get("/admin/", follow=True).redirect_chain == [("/admin/cluster/", 302)]
    for place in ("/admin/addon/dns/", "/admin/addon/dns/live/", "/admin/audit/", "/admin/files/addons.css"):
        assert viewer.get(place).status_code == (200 if "files" in place else 403), place
    assert viewer.post("/admin/switch/dns/", {"enabled": "false"}).status_code == 403


def test_hostile_strings_are_text(viewer: Any, store: Store) -> None:
    evil = world.config_map("evil", "default", {HOSTILE: HOSTILE, "text": HOSTILE})
    world.create(store, evil)
    page = text(viewer.get(f"{OBJECTS}{number('configmaps', 'evil')}/"))
    assert "<script>window" not in page and "&lt;script&gt;window" in page
    for query in ({"q": HOSTILE}, {"kind": HOSTILE}, {"namespace": HOSTILE}, {"cluster": HOSTILE}, {"until": HOSTILE}):
        for place in (OBJECTS, CHANGES):
            assert "<script>window" not in text(viewer.get(place, query, follow=True))


def test_strange_values_of_a_filter_find_nothing_and_break_nothing(viewer: Any) -> None:
    for query in ({"kind": "a\0b"}, {"namespace": "\0"}, {"cluster": "9" * 40}):
        for place in (OBJECTS, CHANGES):
            assert viewer.get(place, query).status_code == 200
    for until in ("9" * 40, "9" * 18, "-1", "0"):
        assert viewer.get(CHANGES, {"until": until}).status_code == 200
    assert names(viewer.get(OBJECTS, {"cluster": "2"})) == []


@pytest.fixture
def crowd(store: Store) -> Store:
    """As many config maps as make three pages."""
    world.create(store, *(world.config_map(f"many-{n:03}", "default", {}) for n in range(230)))
    return store


def test_pages_follow_each_other_and_nothing_is_counted_beyond_the_bound(
    crowd: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import admin

    viewer = client("view_object")
    found = [names(viewer.get(OBJECTS, {"q": "many", "p": str(page)})) for page in (1, 2, 3)]
    assert [len(one) for one in found] == [100, 100, 30]
    assert [name for one in found for name in one] == [f"many-{n:03}" for n in range(230)]
    monkeypatch.setattr(admin, "MOST", 150)
    monkeypatch.setattr(admin.ReadOnly, "most", 150)
    page = viewer.get(OBJECTS, {"q": "many"})
    assert "first 150" in text(page)


def test_a_list_of_changes_looks_through_a_bounded_part_of_the_log(
    crowd: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import admin

    monkeypatch.setattr(admin, "WINDOW", 100)
    viewer = client("view_object")
    newest = viewer.get(CHANGES, {"q": "many"})
    assert names(newest)[0] == "many-229" and len(names(newest)) == 100
    until = re.findall(r"\?q=many&amp;until=(\d+)", text(newest))
    assert names(viewer.get(CHANGES, {"q": "many", "until": until[0]}))[0] == "many-129"


def plans(sql: list[str]) -> str:
    from django.db import connection

    with connection.cursor() as cursor:
        found = []
        for one in sql:
            cursor.execute("EXPLAIN QUERY PLAN " + one)
            found += [row[3] for row in cursor.fetchall()]
    return "\n".join(found)


def test_each_query_goes_through_an_index(crowd: Store) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    viewer = client("view_object")
    places = [
        (OBJECTS, {}),
        (OBJECTS, {"kind": "configmaps"}),
        (OBJECTS, {"kind": "configmaps", "namespace": "default", "q": "many", "p": "2"}),
        (CHANGES, {"kind": "configmaps"}),
        (CHANGES, {"_facets": "True"}),
        (f"{OBJECTS}{number('secrets', 'web-db')}/", {}),
    ]
    for place, query in places:
        with CaptureQueriesContext(connection) as caught:
            assert viewer.get(place, query).status_code == 200
        asked = [one["sql"] for one in caught if '"cluster_' in one["sql"] or "cluster_object" in one["sql"]]
        plan = plans(asked)
        assert not re.search(r"SCAN cluster_(object|change)(?! USING)", plan), plan
        assert place not in (OBJECTS, CHANGES) or not any('"body"' in one for one in asked), "a list needs no bodies"
        assert len(caught) <= 12

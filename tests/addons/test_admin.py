"""The admin pages: only for those with the permission; they change the cluster as kubectl does, and leave a trail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from addons import manager
from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from controllers.runtime import Context
from kube import clock
from tests.addons import sample
from tests.addons.sample import SYSTEM, Cluster

HOSTILE = "<script>window.pwned=1</script>\"'"


@pytest.fixture
def cluster(pages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster with the sample addon in force, and the pages over it."""
    from addons import admin, status, usage

    for module in (manager, status, admin, usage):
        monkeypatch.setattr(module, "catalogue", lambda: {"sample": sample.WORKING})
    monkeypatch.setattr(usage.sampler, "look", lambda: None)
    store = Store.of(1)
    cache = Cache(store)
    session = Session(1, "system:addon-manager", cache, store)
    session.create("namespaces", "", {"metadata": {"name": SYSTEM}})
    session.create("serviceaccounts", SYSTEM, {"metadata": {"name": "default"}})
    made = Cluster(Context(session, cache))
    made.node()
    made.turn()
    made.work(since=made.now - 60)
    made.turn(after=11)
    status._own_cache.cache_clear()
    yield made
    status._own_cache.cache_clear()
    store.close()


def client(*permissions: str, superuser: bool = False, name: str = "anna", **options: Any) -> Any:
    from django.contrib.auth.models import Permission, User
    from django.test import Client

    account = User.objects.create(username=name, is_staff=True, is_superuser=superuser)
    account.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    made = Client(**options)
    made.force_login(account)
    return made


def text(answer: Any) -> str:
    return str(answer.content.decode())


def posted(page: Any, **changes: str) -> dict[str, str]:
    """What a browser would send of a page's form, with some fields changed."""
    html = text(page)
    seen = re.search(r'name="seen" value="(\w+)"', html)
    assert seen
    return {"seen": seen[1], "size": "1", "command": "sleep 9", "rollout_deadline": "120", **changes}


def test_the_list_shows_the_addons_and_switches_one(cluster: Cluster) -> None:
    admin = client(superuser=True)
    page = text(admin.get("/admin/"))
    assert "Sample" in page and "Switch off" in page and "1 of 1 ready" in page and "healthy" in page
    assert admin.post("/admin/switch/sample/", {"enabled": "false"}).status_code == 302
    data = cluster.data()
    assert data and data["enabled"] == "false"
    page = text(admin.get("/admin/"))
    assert "Switch on" in page and "<td>anna</td>" in page


def test_one_addon_shows_its_state_form_workloads_and_trail(cluster: Cluster) -> None:
    page = text(client(superuser=True).get("/admin/addon/sample/"))
    for words in (
        "How many.",
        "A whole number from 1 to 9.",
        "Default: <code>sleep 9</code>",
        "worker-1",
        "Deployment <b>worker</b>",
        "1 of 1",
        "No figures yet",
        "rolled out",
        "addon-manager",
    ):
        assert words in page, words


def test_a_change_is_written_with_who_made_it_and_rolled_out(cluster: Cluster) -> None:
    admin = client(superuser=True)
    answer = admin.post("/admin/addon/sample/", posted(admin.get("/admin/addon/sample/"), size=" 2 "), follow=True)
    assert "Changed size from 1 to 2. It is being rolled out." in text(answer)
    cluster.turn()
    rows = [row for row in cluster.audit() if row[0] == "changed"]
    assert rows == [("changed", "anna", '[["size","1","2"]]', "")], "once, under the person's name"
    page = text(admin.get("/admin/addon/sample/"))
    assert "rolling out" in page and "Taken back when it is not healthy" in page and "asked for by addon-admin" in page


def test_a_rollback_is_told_on_the_page_and_in_the_trail(cluster: Cluster) -> None:
    admin = client(superuser=True)
    admin.post("/admin/addon/sample/", posted(admin.get("/admin/addon/sample/"), command="exit 7"))
    cluster.turn()
    cluster.work(ready=False, crashed=True)
    live = text(admin.get("/admin/addon/sample/live/"))
    assert "exit code 7" in live and "no such &lt;file&gt;" in live and "<html" not in live
    cluster.turn(after=121)
    cluster.events()
    page = text(admin.get("/admin/addon/sample/"))
    assert "Rolled back command=exit 7: not healthy after 120 s" in page and "In force: command=sleep 9." in page
    assert "AddonRolledBack" in page and 'value="sleep 9"' in page
    trail = text(admin.get("/admin/audit/?addon=sample"))
    assert trail.index("rolled back") < trail.index("<td>anna</td>"), "the newest comes first"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("size", "many", "size: &quot;many&quot; is not a whole number; it has to be a whole number from 1 to 9"),
        ("size", "", "size: &quot;&quot; is not a whole number"),
        ("command", "a\tb", "line break or another control character"),
        ("rollout_deadline", "4000", "from 5 to 3600"),
    ],
)
def test_what_can_not_be_is_said_at_the_field_and_not_saved(
    cluster: Cluster, field: str, value: str, words: str
) -> None:
    admin = client(superuser=True)
    before = cluster.data()
    answer = admin.post("/admin/addon/sample/", posted(admin.get("/admin/addon/sample/"), **{field: value}))
    assert words in text(answer) and cluster.data() == before
    assert "Not saved: 1 field cannot be as entered." in text(answer)


def test_two_admins_at_once_are_told(cluster: Cluster) -> None:
    anna, ben = client(superuser=True), client(superuser=True, name="ben")
    first, second = anna.get("/admin/addon/sample/"), ben.get("/admin/addon/sample/")
    assert anna.post("/admin/addon/sample/", posted(first, size="2")).status_code == 302
    answer = ben.post("/admin/addon/sample/", posted(second, size="3"))
    assert "Somebody else changed this configuration" in text(answer)
    assert "Now: <code>2</code>" in text(answer) and cluster.data()["size"] == "2"  # type: ignore[index]
    assert ben.post("/admin/addon/sample/", posted(answer, size="3")).status_code == 302
    assert cluster.data()["size"] == "3"  # type: ignore[index]


def test_the_managers_notes_are_no_conflict(cluster: Cluster) -> None:
    admin = client(superuser=True)
    page = admin.get("/admin/addon/sample/")
    cluster.work(ready=False)
    cluster.turn(after=60)
    assert admin.post("/admin/addon/sample/", posted(page, size="2")).status_code == 302


def test_a_reset_fills_in_the_default_and_saves_nothing(cluster: Cluster) -> None:
    cluster.edit(command="sleep 5")
    admin = client(superuser=True)
    page = admin.get("/admin/addon/sample/")
    assert text(page).count(">Reset to default<") == 1
    form = posted(page, command="sleep 5", size="7", reset="command")
    answer = text(admin.post("/admin/addon/sample/", form))
    assert 'value="sleep 9"' in answer and 'value="7"' in answer, "what else was entered stays"
    everything = text(admin.post("/admin/addon/sample/", {**form, "reset": "*"}))
    assert 'value="sleep 9"' in everything and 'value="1"' in everything
    assert cluster.data()["command"] == "sleep 5"  # type: ignore[index]


def test_without_the_permission_nothing_is_shown_or_changed(cluster: Cluster) -> None:
    other = client()
    before = cluster.data()
    for page in ("/admin/", "/admin/addon/sample/", "/admin/addon/sample/live/", "/admin/audit/"):
        assert other.get(page).status_code == 302, page
    for page in ("/admin/switch/sample/", "/admin/addon/sample/"):
        assert other.post(page, {"enabled": "false", "size": "2"}).status_code in (302, 403)
    assert cluster.data() == before


def test_who_may_only_look_looks(cluster: Cluster) -> None:
    looker = client("view_switch")
    page = looker.get("/admin/addon/sample/")
    assert (
        page.status_code == 200
        and "You may look, but not change" in text(page)
        and "Save and roll out" not in text(page)
    )
    assert "Switch off" not in text(looker.get("/admin/"))
    assert looker.post("/admin/addon/sample/", posted(page, size="2")).status_code == 403
    assert looker.post("/admin/switch/sample/", {"enabled": "false"}).status_code == 403
    assert cluster.data()["enabled"] == "true"  # type: ignore[index]


def test_a_request_without_the_token_of_a_form_is_refused(cluster: Cluster) -> None:
    admin = client(superuser=True, enforce_csrf_checks=True)
    form = posted(admin.get("/admin/addon/sample/"), size="2")
    assert admin.post("/admin/addon/sample/", form).status_code == 403
    assert admin.post("/admin/switch/sample/", {"enabled": "false"}).status_code == 403
    assert cluster.data()["size"] == "1"  # type: ignore[index]


def test_what_is_not_a_switch_is_refused(cluster: Cluster) -> None:
    admin = client(superuser=True)
    assert admin.post("/admin/switch/sample/", {"enabled": "maybe"}).status_code == 400
    assert admin.post("/admin/switch/nothing/", {"enabled": "true"}).status_code == 400
    assert (
        admin.get("/admin/switch/sample/").status_code == 405 and admin.get("/admin/addon/nothing/").status_code == 404
    )


def test_hostile_texts_stay_texts(cluster: Cluster) -> None:
    cluster.edit(command=HOSTILE, **{"key.x": HOSTILE})
    cluster.turn()
    cluster.ctx.session.create(
        "events",
        SYSTEM,
        {
            "metadata": {"name": "bad"},
            "type": "Warning",
            "reason": HOSTILE,
            "message": HOSTILE,
            "involvedObject": {"kind": "Pod", "namespace": SYSTEM, "name": "worker-1"},
            "lastTimestamp": clock.now(),
        },
    )
    admin = client(superuser=True)
    for page in ("/admin/", "/admin/addon/sample/", "/admin/addon/sample/live/", "/admin/audit/"):
        assert "<script>window" not in text(admin.get(page)), page
    assert "key.x: there is no such option" in text(admin.get("/admin/addon/sample/"))


def test_a_refused_configuration_is_mended_by_saving(cluster: Cluster) -> None:
    cluster.edit(sise="3")
    cluster.turn()
    admin = client(superuser=True)
    page = admin.get("/admin/addon/sample/")
    assert "refused" in text(page) and "did you mean size?" in text(page)
    assert admin.post("/admin/addon/sample/", posted(page)).status_code == 302
    cluster.turn()
    assert "sise" not in (cluster.data() or {}) and cluster.note("error") == ""


def test_figures_become_lines(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from addons import usage

    monkeypatch.setattr(usage, "sampler", usage.Sampler())
    item = {
        "metadata": {"name": "worker-1"},
        "containers": [{"name": "main", "usage": {"cpu": "12m", "memory": "24Mi"}}],
    }
    for _ in range(3):
        usage.sampler.take([item])
    cpu, memory = usage.charts("sample")
    assert (cpu.now, memory.now) == ("12 m", "24 MiB") and len(cpu.line.split()) == 3
    assert len(usage.sampler.history["sample"]) == 3 and usage.sampler.history["sample"].maxlen == usage.POINTS

    series = [
        {"labels": {"workload": name}, "values": [None, 0.5, 0.25]} for name in ("Deployment/worker", "Deployment/x")
    ]
    figures = {"cpu": {"series": series}, "memory": {"series": series}}
    usage.sampler.take_recorded({"times": [60, 120, 180], "figures": figures})
    assert [point[1].cpu for point in usage.sampler.history["sample"]] == [500, 250], "what monitoring knows goes first"


def test_its_files_are_served(pages: Path) -> None:
    from django.test import Client

    for path, kind in (
        ("static/admin/css/base.css", "text/css"),
        ("files/addons.css", "text/css"),
        ("files/live.js", "text/javascript"),
    ):
        answer = Client().get(f"/admin/{path}")
        assert answer.status_code == 200 and answer["Content-Type"].startswith(kind), path
    assert Client().get("/admin/files/../admin.py").status_code in (400, 404)


# -- the audit log of the cluster ------------------------------------------------------------------------------------------


@pytest.fixture
def log(cluster: Cluster, pages: Path) -> Path:
    """An audit log whose newest event is hostile; and what the pages do goes there too."""
    import json

    from cluster.audit import installation
    from cluster.audit.writer import Rotated

    installation.prepare(pages)
    installation.beside.cache_clear()
    event = {
        "stage": "ResponseComplete",
        "verb": "delete",
        "user": {"username": "eve"},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": HOSTILE},
        "stageTimestamp": "2026-01-01T00:00:00.000000Z",
        "responseStatus": {"code": 403, "message": "no: token=hunter2"},
        "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=mysql&command=-phunter2",
        "requestObject": {"data": "of-a-body"},
    }
    other = {**event, "verb": "create", "user": {"username": "bob"}, "stageTimestamp": "2026-01-02T00:00:00.000000Z"}
    Rotated(installation.log_path(pages)).write([json.dumps(one).encode() + b"\n" for one in (event, other)])
    return installation.log_path(pages)


def test_the_audit_log_is_searched_and_shows_no_bodies(log: Path) -> None:
    admin = client("view_auditlog")
    page = text(admin.get("/admin/", follow=True))
    assert "<td>eve</td>" in page and "<td>bob</td>" in page and page.index(">bob<") < page.index(">eve<")
    assert "hunter2" not in page and "command=mysql" in page
    assert "of-a-body" not in page and "window.pwned" in page and "<script>window" not in page
    page = text(
        admin.get("/admin/events/?user=ev&verb=delete&resource=pods&namespace=shop&since=2026-01-01&until=2026-01-02")
    )
    assert "<td>eve</td>" in page and "<td>bob</td>" not in page
    assert "Nothing that fits" in text(admin.get("/admin/events/?since=2026-01-03"))
    assert admin.get("/admin/events/?cursor=x&verb=sing").status_code == 200
    assert admin.get("/admin/audit/").status_code == 403, "the addons are another permission's"


def test_the_audit_log_needs_its_own_permission(log: Path) -> None:
    assert client("view_switch", "change_switch").get("/admin/events/").status_code == 403
    assert client("view_switch", name="bert").post("/admin/events/").status_code == 405


def test_a_change_of_an_addon_stands_in_the_audit_log(log: Path) -> None:
    from cluster.audit import installation

    admin = client(superuser=True)
    admin.post("/admin/switch/sample/", {"enabled": "false"})
    found = installation.beside(log.parent.parent)
    assert found
    found.writer.flush()
    page = text(admin.get("/admin/events/?user=anna"))
    assert "patch" in page and "kube-system/addon-sample" in page and "enabled" in page

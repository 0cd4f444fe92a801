"""What one sees in the dashboard who has `view` in one namespace, who has nothing, and who is not logged in: every address,
every question of every socket, every feed of every kind, and the logs. Nothing of another namespace is in any byte.

What is expected is written here in tables; an address, a feed or a question that has no row fails.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from cluster.store import Key, Store, Write
from dashboard import logsearch
from dashboard.feeds import FEEDS
from dashboard.live import Live
from kube import registry
from kube.objects import Json
from kube.registry import Kind
from kube.users import AUTHENTICATED, User
from tests.apiserver.rights import CANARY, READ, VIEW
from tests.dashboard import fakemetrics, fakemonitoring, world
from tests.dashboard.drive import HOST, Page, refused, session, socket_to
from tests.dashboard.fakehttp import JsonHandler, listening
from tests.dashboard.test_logsearch import switched_on
from tests.logs.search.test_server import document, serving
from web.client import HttpSession

VIEWER, NOTHING = User("viewer", groups=(AUTHENTICATED,)), User("nothing", groups=(AUTHENTICATED,))
NO_LOGIN = 4401
CUSTOM = "traps.example.com"
Recorded = list[str]


def kinds() -> list[Kind]:
    """Each kind that can be listed, once."""
    found = {kind.storage: kind for kind in registry.load().all() if "list" in kind.verbs}
    return [kind for storage, kind in found.items() if storage != "componentstatuses"]


def viewed(storage: str) -> bool:
    """Whether `view` opens a kind in its namespace. `events` is one storage of two groups."""
    resource, _, group = storage.partition(".")
    return VIEW.get(group, {}).get(resource) == READ and storage != "bindings"


def thing(kind: Kind, namespace: str, name: str, secret: str) -> tuple[Key, Json]:
    """An object with `secret` wherever somebody may write."""
    meta = world.meta(name, namespace, 600, labels={"of": secret, secret: "x"}, annotations={"note": secret})
    spec = {"nodeName": secret, "selector": {"of": secret}, "containers": [world.container(secret)]}
    status = {
        "phase": "Failed",
        "reason": secret,
        "message": secret,
        "conditions": [{"type": "Ready", "status": "False", "reason": secret, "message": secret}],
    }
    body: Json = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec, "status": status}
    if kind.kind == "Event":
        body |= {"type": "Warning", "reason": secret, "message": secret, "lastTimestamp": world.ago(5)}
        body["involvedObject"] = {"kind": "Pod", "apiVersion": "v1", "namespace": namespace, "name": secret, "uid": ""}
    if kind.kind in ("ConfigMap", "Secret"):
        body = {**body, "data": {secret: secret}}
    return Key(kind.storage, namespace, name), body


class Api(JsonHandler):
    """The API server's logs and figures, of all namespaces."""

    def do_GET(self) -> None:
        found = fakemetrics.answer(self.path)
        if found is not None:
            found["items"] += [
                {"metadata": {"name": name, "namespace": where}, "timestamp": world.ago(5), "containers": []}
                for where, name in (("theirs", CANARY), ("theirs", "thing"), ("mine", "thing"))
            ]
        self.reply(
            200, f"{world.ago(1)} {CANARY if '/theirs/' in self.path else 'own line'}" if found is None else found
        )


@pytest.fixture
def place(pages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The namespaces `mine` and `theirs`, with one of each kind in both, what has no namespace, figures, and rights."""
    store = Store.of(1)
    world.create(store, *(world.namespace(name) for name in ("default", "kube-system", "mine")))
    foreign = world.namespace("theirs")
    foreign["metadata"]["annotations"] = {"note": CANARY}
    world.create(store, foreign, fakemetrics.service(), world.definition("traps", "Trap", []))
    made = [(kind, name) for kind in kinds() for name in ("thing", CANARY)]
    told = [thing(kind, "theirs" if kind.namespaced else "", name, CANARY) for kind, name in made]
    told += [thing(kind, "mine", "thing", "own") for kind in kinds() if kind.namespaced]
    trap = Kind("example.com", "v1", "Trap", "traps", True, "trap", storage=CUSTOM)
    told += [thing(trap, "theirs", "thing", CANARY), thing(trap, "theirs", CANARY, CANARY)]
    for result in store.write_many([Write("create", key, body) for key, body in told]):
        assert not isinstance(result, Exception), result
    group = "rbac.authorization.k8s.io"
    rules = [
        {"apiGroups": [group], "resources": [name], "verbs": sorted(READ)}
        for group, names in VIEW.items()
        for name, verbs in names.items()
        if verbs == READ
    ]
    rules.append({"apiGroups": [fakemetrics.PREFIX.split("/")[2]], "resources": ["pods"], "verbs": ["get", "list"]})
    role = {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": world.meta("sight"), "rules": rules}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": world.meta("sight", "mine"),
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "sight"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": VIEWER.name}],
    }
    world.create(store, role, binding)
    monkeypatch.setitem(fakemonitoring.NAMES, "namespace", ["mine", CANARY])
    with listening(Api) as port, fakemonitoring.serving() as monitoring:
        monkeypatch.setenv("BINNACLE_API_URL", f"http://127.0.0.1:{port}")
        world.create(store, fakemonitoring.service(monitoring.port))
        yield store
    from dashboard.source import sources

    sources.close()
    store.close()


class Asker:
    """A socket of a user; everything that it is told is kept."""

    def __init__(self, page: Page, heard: Recorded) -> None:
        self.page, self.heard, self.number = page, heard, 0

    async def frame(self) -> dict[str, Any]:
        text = await self.page.socket.text()
        self.heard.append(text)
        return dict(orjson.loads(text))

    async def ask(self, **message: Any) -> dict[str, Any]:
        """The first frame that answers."""
        self.number += 1
        await self.page.ask(id=self.number, **message)
        while (found := await self.frame()).get("id") != self.number:
            pass
        if message["op"] == "sub":
            await self.page.ask(op="unsub", id=self.number)
        return found


def asking(user: User, path: str, story: Any) -> Recorded:
    """Run a story with a socket of a user; returns all that it was told."""
    heard: Recorded = []
    key = session(user)

    async def run() -> None:
        page = Page(socket_to(path, key))
        await page.socket.connect()
        try:
            await story(Asker(page, heard))
        finally:
            await page.socket.disconnect()

    asyncio.run(run())
    return heard


def outcome(found: dict[str, Any]) -> Any:
    return found.get("code", 0) if found["t"] == "error" else "told"


# -- the live feed: (question, what the viewer gets, what who has nothing gets) ---------------------------------------------

Row = tuple[dict[str, Any], Any, Any]


def of_kind(storage: str, namespaced: bool) -> Iterator[Row]:
    """Every question about one kind."""
    here = "told" if viewed(storage) and namespaced else 403
    yield {"op": "sub", "feed": "list", "kind": storage}, here, 403
    for ns, wanted in (("mine", here), ("theirs", 403), ("mine,theirs", here), ("*", 403)) if namespaced else ():
        yield {"op": "sub", "feed": "list", "kind": storage, "ns": ns}, wanted, 403
        yield {"op": "sub", "feed": "list", "kind": storage, "ns": ns, "labels": f"of={CANARY}"}, wanted, 403
    for ns, name, wanted in (
        ("mine", "thing", here),
        ("theirs", "thing", 403),
        ("", "thing", 403),
        ("theirs", CANARY[:-1], 403),
    ):
        if namespaced or not ns:
            yield {"op": "sub", "feed": "object", "key": [storage, ns, name]}, wanted, 403
            yield {"op": "history", "key": [storage, ns, name]}, wanted, 403


OTHERS: list[Row] = [
    ({"op": "sub", "feed": "kinds"}, "told", "told"),
    ({"op": "sub", "feed": "overview"}, "told", "told"),
    ({"op": "sub", "feed": "overview", "ns": "mine"}, "told", 403),
    ({"op": "sub", "feed": "overview", "ns": "theirs"}, 403, 403),
    ({"op": "sub", "feed": "overview", "ns": "mine,theirs"}, "told", 403),
    ({"op": "sub", "feed": "list", "kind": "workloads"}, "told", 403),
    ({"op": "sub", "feed": "list", "kind": "workloads", "ns": "theirs"}, 403, 403),
    ({"op": "sub", "feed": "object", "key": ["namespaces", "", "theirs"]}, 403, 403),
    ({"op": "history", "key": ["namespaces", "", "theirs"]}, 403, 403),
    ({"op": "sub", "feed": "no-such"}, 400, 400),
    *(({"op": "find", "text": text}, "told", "told") for text in ("thing", CANARY, "theirs/", "pod theirs", "a")),
    *(
        ({"op": "figures", "range": "1h", **about}, viewer, 403)
        for about, viewer in (
            ({"key": None}, 403),
            ({"key": None, "ns": "mine"}, "told"),
            ({"key": None, "ns": "theirs"}, 403),
            ({"key": ["pods", "mine", "thing"]}, "told"),
            ({"key": ["pods", "theirs", "thing"]}, 403),
            ({"key": ["deployments.apps", "mine", "thing"]}, "told"),
            ({"key": ["deployments.apps", "theirs", "thing"]}, 403),
            ({"key": ["namespaces", "", "theirs"]}, 403),
            ({"key": ["nodes", "", "thing"]}, 403),
        )
    ),
    ({"op": "usage", "kind": "pods", "rows": None, "sum": True}, "told", 403),
    ({"op": "usage", "kind": "pods", "rows": [["theirs", "thing"], ["mine", "thing"]]}, "told", 403),
    ({"op": "usage", "kind": "pods", "ns": "theirs", "rows": None}, 403, 403),
    ({"op": "usage", "kind": "nodes", "rows": None}, 403, 403),
    ({"op": "erase"}, 400, 400),
]


def rows() -> list[Row]:
    every = [(kind.storage, kind.namespaced) for kind in kinds()] + [(CUSTOM, True)]
    return [row for storage, namespaced in every for row in of_kind(storage, namespaced)] + OTHERS


def test_every_question_has_its_row() -> None:
    asked = {row["op"] for row, _, _ in rows()} | {"unsub"}
    known = set(re.findall(r'case "(\w+)":', inspect.getsource(Live._carry_out)))
    assert known and known <= asked
    assert set(FEEDS) <= {row.get("feed") for row, _, _ in rows()}
    assert len(rows()) > 300


@pytest.mark.parametrize(("user", "column"), [(VIEWER, 1), (NOTHING, 2)], ids=["viewer", "nothing"])
def test_every_question_of_the_live_feed(place: Store, user: User, column: int) -> None:
    wrong: list[str] = []

    async def story(asker: Asker) -> None:
        for row in rows():
            found = await asker.ask(**row[0])
            if outcome(found) != row[column]:
                wrong.append(f"{row[0]} is {outcome(found)}, not {row[column]}: {str(found)[:200]}")

    heard = asking(user, "/c/local/live", story)
    assert wrong == []
    # What is refused may name what was asked for, by its own words: none of these has the whole of the canary.
    assert [text[:300] for text in heard if CANARY in text] == []
    kinds_told = [
        orjson.loads(text)["doc"]["namespaces"] for text in heard if '"namespaces":' in text and '"kinds":' in text
    ]
    assert kinds_told == [["mine"] if user is VIEWER else []]


def test_what_changes_elsewhere_is_told_to_nobody(place: Store) -> None:
    pods = registry.load().by_storage("pods")
    assert pods

    async def story(asker: Asker) -> None:
        asks = [{"feed": "list", "kind": one} for one in ("pods", "workloads", "events", "configmaps")]
        asks += [{"feed": "overview"}, {"feed": "kinds"}, {"feed": "object", "key": ["pods", "mine", "thing"]}]
        for number, ask in enumerate(asks, 100):
            await asker.page.ask(op="sub", id=number, **ask)
        seen: set[int] = set()
        while seen != set(range(100, 100 + len(asks))):
            seen |= {(await asker.frame()).get("id", 0)} - {0}
        for number in range(5):
            for kind in kinds():
                if kind.namespaced and number == 0:
                    key, body = thing(kind, "theirs", f"{CANARY}-new", CANARY)
                    place.write(Write("create", key, body))
            place.write(Write("create", *thing(pods, "theirs", f"{CANARY}-{number}", CANARY)))
        place.write(Write("create", *thing(pods, "mine", "fence", "own")))
        while "fence" not in asker.heard[-1]:
            await asker.frame()

    heard = asking(VIEWER, "/c/local/live", story)
    assert [text[:300] for text in heard if CANARY in text] == []


# -- sockets --------------------------------------------------------------------------------------------------------------


def test_every_socket_is_closed_to_who_is_not_logged_in(place: Store) -> None:
    from dashboard.urls import websocket_urlpatterns

    paths = [str(one.pattern).removesuffix("$").rpartition("/")[2] for one in websocket_urlpatterns]
    assert sorted(paths) == ["", "live", "log", "logsearch"]
    for path in ("/", "/c/local/", "/admin/", "/c/local/logs/download"):  # where there is no socket

        async def refusal(path: str = path) -> dict[str, Any]:
            socket = socket_to(path, "")
            socket.received.put_nowait({"type": "websocket.connect"})
            return await socket.output()

        assert asyncio.run(refusal()) == {"type": "websocket.close"}
    for name in ("live", "log", "logsearch"):
        assert refused(f"/c/local/{name}", "") == NO_LOGIN
        assert refused(f"/c/local/{name}", "0" * 32) == NO_LOGIN


@pytest.mark.parametrize("more", ["", "&follow=1", "&previous=1", "&container=c", "&tail=5&since=2026-01-01T00:00:00Z"])
@pytest.mark.parametrize(
    ("where", "viewer"), [("ns=mine&pod=thing", True), ("ns=theirs&pod=thing", False), ("ns=mine&pod=../x", False)]
)
def test_logs_of_pods(place: Store, where: str, viewer: bool, more: str) -> None:
    for user, allowed in ((VIEWER, viewer), (NOTHING, False)):

        async def story(asker: Asker, allowed: bool = allowed) -> None:
            assert (await asker.frame())["t"] == ("open" if allowed else "error")
            while allowed and (await asker.frame())["t"] != "end":
                pass

        heard = asking(user, f"/c/local/log?{where}{more}", story)
        assert CANARY not in str(heard)
        assert ("own line" in str(heard)) is allowed


# What one may ask of the log store; `line` is one of theirs.
SEARCHES: list[dict[str, Any]] = [
    {"op": op, **more}
    for op, mores in {
        "search": [{}, {"query": CANARY}, {"namespaces": ["theirs"]}, {"query": "ns:theirs"}, {"query": "NOT ns:mine"}],
        "histogram": [{"from": "now-15m", "to": "now"}, {"query": CANARY, "from": "now-15m", "to": "now"}],
        "top": [{"field": field} for field in ("namespace", "pod", "container", "level", "fields.secret", "source")],
        "around": [{"line": f"{number:032x}"} for number in (2, 4, 5)] + [{"line": {"_id": f"{2:032x}"}}],
    }.items()
    for more in mores
]


def test_every_question_to_the_log_store(place: Store, tmp_path: Path) -> None:
    assert set(logsearch.ASKS) | {"tail"} == {row["op"] for row in SEARCHES} | {"tail"}
    lines = [document(1, "mine"), document(3, "mine", "event")]
    for number, where, source in (
        (2, "theirs", "container"),
        (4, "theirs", "event"),
        (5, "", "node"),
        (6, "", "control-plane"),
    ):
        lines.append(document(number, where, source, message=CANARY, level=CANARY, fields={"secret": CANARY}))
    everything = {"logs": None, "events": None, "nodes": True}

    async def work(server: HttpSession, user: User, seen: set[str]) -> None:
        from asgiref.sync import sync_to_async
        from django.conf import settings
        from django.test import AsyncClient

        heard: Recorded = []
        page = Page(socket_to("/c/local/logsearch", await sync_to_async(session)(user)))
        await page.socket.connect()
        asker = Asker(page, heard)
        for row in SEARCHES:
            found = await asker.ask(scope=everything, **row)
            if row == {"op": "search"}:
                assert {line["kubernetes"].get("namespace") for line in found["found"]["lines"]} == seen
            if row["op"] == "histogram" and "query" not in row:
                assert found["found"]["total"] == 2 * len(seen)
        await page.ask(op="tail", id=900, query="", scope=everything)
        while not (await asker.frame()).get("beat"):
            pass
        late = [document(20, "theirs", message=CANARY), document(21, "mine", message="fence")]
        assert (await server.request("POST", "/ingest", b"\n".join(late))).status == 200
        for _ in range(2):
            while not (await asker.frame()).get("beat"):
                pass
        assert ("fence" in str(heard)) is bool(seen)
        await page.socket.disconnect()
        client = AsyncClient(headers={"host": HOST})
        client.cookies[settings.SESSION_COOKIE_NAME] = await sync_to_async(session)(user)
        for query in ("", "&q=ns:theirs", "&ns=theirs", f"&q={CANARY}", "&format=text"):
            response: Any = await client.get(f"/c/local/logs/download?format=json{query}")
            heard.append(b"".join([piece async for piece in response.streaming_content]).decode())
        assert [text[:300] for text in heard if CANARY in text.replace(f"'{CANARY}'", "")] == []

    async def run() -> None:
        async with serving(tmp_path) as server:
            switched_on(place, server.address.place.port)
            assert (await server.request("POST", "/ingest", b"\n".join(lines))).status == 200
            await work(server, VIEWER, {"mine"})
            await work(server, NOTHING, set())

    asyncio.run(run())


# -- addresses --------------------------------------------------------------------------------------------------------------

# By pattern: an address of it, and the status for (viewer, nobody, an account without rights, staff without permissions).
TO_LOGIN = 302
ADDRESSES: dict[str, tuple[str, int, int, int, int]] = {
    "admin/static/<path:path>": ("/admin/static/admin/css/base.css", 200, 200, 200, 200),
    "admin/mark.svg": ("/admin/mark.svg", 200, 200, 200, 200),
    "admin/files/<path:path>": ("/admin/files/addons.css", 200, 200, 200, 200),
    "admin/switch/<slug:name>/": ("/admin/switch/dns/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/addon/<slug:name>/": ("/admin/addon/dns/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/addon/<slug:name>/live/": ("/admin/addon/dns/live/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/audit/": ("/admin/audit/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/events/": ("/admin/events/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/": ("/admin/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/login/": ("/admin/login/", 200, 200, 200, 200),
    "admin/logout/": ("/admin/logout/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/password_change/": ("/admin/password_change/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/password_change/done/": ("/admin/password_change/done/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/autocomplete/": ("/admin/autocomplete/?term=a", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/jsi18n/": ("/admin/jsi18n/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/r/<path:content_type_id>/<path:object_id>/": ("/admin/r/1/1/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/cluster/object/": ("/admin/cluster/object/?q=thing", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/cluster/object/<int:number>/": ("/admin/cluster/object/1/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/cluster/change/": ("/admin/cluster/change/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/cluster/change/<int:number>/": ("/admin/cluster/change/1/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/^(?P<app_label>cluster)/$": ("/admin/cluster/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "admin/(?P<url>.*)$": ("/admin/nothing/", TO_LOGIN, TO_LOGIN, TO_LOGIN, TO_LOGIN),
    "healthz": ("/healthz", 200, 200, 200, 200),
    "metrics": ("/metrics", 200, 200, 200, 200),
    "login": ("/login", 303, 303, 303, 303),
    "logout": ("/logout", 405, 405, 405, 405),
    "static/<slug:build>/<path:path>": ("/static/x/js/boot.js", 200, 200, 200, 200),
    "": ("/", 200, 200, 200, 200),
    "c/<str:cluster>/logs/download": ("/c/local/logs/download?q=lebel:x", 503, 401, 503, 503),
    r"^(?P<path>c/[a-z0-9][a-z0-9.-]{0,62}(/.*)?)$": ("/c/local/pods/theirs/thing", 200, 200, 200, 200),
}


def patterns(found: Any, before: str = "") -> Iterator[str]:
    for one in found:
        at = before + str(one.pattern)
        yield from patterns(one.url_patterns, at) if hasattr(one, "url_patterns") else [at]


def test_every_address(place: Store) -> None:
    from django.conf import settings
    from django.contrib.auth.models import User as Account
    from django.test import Client
    from django.urls import get_resolver

    assert set(patterns(get_resolver().url_patterns)) == set(ADDRESSES)
    viewer, nobody, account, staff = (Client(headers={"host": HOST}) for _ in range(4))
    viewer.cookies[settings.SESSION_COOKIE_NAME] = session(VIEWER)
    account.force_login(Account.objects.create(username="account"))
    staff.force_login(Account.objects.create(username="staff", is_staff=True))
    dashboard = [viewer, nobody]
    wrong = []
    for pattern, (path, *wanted) in ADDRESSES.items():
        for number, client in enumerate((viewer, nobody, account, staff)):
            # An account that came in by the admin has no session of the dashboard.
            want = wanted[1] if "download" in path and client not in dashboard else wanted[number]
            answer = client.get(path)
            body = b"".join(answer) if answer.streaming else answer.content
            if answer.status_code != want:
                wrong.append(f"{path} is {answer.status_code} for number {number}, not {want}")
            if CANARY.encode() in body + str(answer.headers).encode():
                wrong.append(f"{path} tells of theirs to number {number}")
            # A form is refused, or led to the login; files and the form of the login are shown again.
            told = client.post(path).status_code
            if told not in ((200,) if wanted == [200] * 4 and pattern.startswith("admin/") else (302, 403, 405)):
                wrong.append(f"{path} takes a form of number {number}: {told}")
    assert "\n".join(wrong) == ""

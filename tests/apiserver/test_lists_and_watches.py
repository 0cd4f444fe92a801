"""Lists in pages at one revision, tables, and watches that miss nothing."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from apiserver.resources import lists
from tests.apiserver.standalone import Server, Watch

PAGES = "/api/v1/namespaces/pages/configmaps"


@pytest.fixture
def ten(server: Server) -> Iterator[list[str]]:
    names = [f"p{i}" for i in range(10)]
    for name in names:
        server.request("POST", PAGES, {"metadata": {"name": name, "labels": {"parity": str(int(name[1:]) % 2)}}})
    yield names
    server.request("DELETE", PAGES)


def test_pages_show_one_moment(server: Server, ten: list[str]) -> None:
    _, first = server.request("GET", f"{PAGES}?limit=4")
    server.request("DELETE", f"{PAGES}/p7")
    server.request("POST", PAGES, {"metadata": {"name": "p99"}})
    seen, token = [i["metadata"]["name"] for i in first["items"]], first["metadata"]["continue"]
    assert first["metadata"]["remainingItemCount"] == 6
    while token:
        _, page = server.request("GET", f"{PAGES}?limit=4&continue={token}")
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        seen += [i["metadata"]["name"] for i in page["items"]]
        token = page["metadata"].get("continue")
    assert seen == ten


def test_a_list_sees_every_acknowledged_write(server: Server, ten: list[str]) -> None:
    for i in range(20):
        server.request("POST", PAGES, {"metadata": {"name": f"n{i}"}})
        _, found = server.request("GET", f"{PAGES}?fieldSelector=metadata.name%3Dn{i}")
        assert len(found["items"]) == 1


def test_tables_of_a_list(server: Server, ten: list[str]) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    for _ in range(2):  # the second comes from rows already rendered
        _, table = server.request("GET", f"{PAGES}?labelSelector=parity%3D0", Accept=accept)
        assert [row["cells"][0] for row in table["rows"]] == ten[::2]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    server.request("PATCH", f"{PAGES}/p0", {"data": {"a": "b"}}, Content_Type="application/merge-patch+json")
    _, table = server.request("GET", f"{PAGES}?labelSelector=parity%3D0", Accept=accept)
    assert table["rows"][0]["cells"][1] == 1, "a row is rendered again when its object changed"


def test_tables_of_what_is_not_stored(server: Server) -> None:
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    _, table = server.request("GET", "/api/v1/componentstatuses", Accept=accept)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Status", "Message", "Error"]
    rows = {row["cells"][0]: row["cells"][1:] for row in table["rows"]}
    assert rows["etcd-0"] == ["Healthy", "ok", ""]
    assert rows["scheduler"][0] == "Unhealthy", "nobody started one here"
    assert re.fullmatch(r'Get "https://127.0.0.1:\d+/healthz": does not answer .*', rows["scheduler"][1])
    path = "/apis/apps/v1/namespaces/pages/deployments"
    spec = {
        "selector": {"matchLabels": {"a": "b"}},
        "replicas": 2,
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "host"}]}},
    }
    server.request("POST", path, {"metadata": {"name": "scaled"}, "spec": spec})
    _, table = server.request("GET", f"{path}/scaled/scale", Accept=accept)
    server.request("DELETE", f"{path}/scaled")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"][:3] == ["scaled", 2, 0]


@pytest.mark.parametrize(
    ("path", "count"), [("namespaces/pages/configmaps", 10), ("namespaces/pages/configmaps/p3", 1)]
)
def test_the_old_paths_of_watches(server: Server, ten: list[str], path: str, count: int) -> None:
    watch = Watch(server, f"/api/v1/watch/{path}?timeoutSeconds=20")
    seen = [watch.next() for _ in range(count)]
    watch.close()
    assert {event["type"] for event in seen} == {"ADDED"}
    assert {event["object"]["metadata"]["name"] for event in seen} == (set(ten) if count > 1 else {"p3"})


def test_a_watch_goes_on_where_a_list_ended(server: Server, ten: list[str]) -> None:
    _, listed = server.request("GET", PAGES)
    server.request("DELETE", f"{PAGES}/p1")
    watch = Watch(server, f"{PAGES}?watch=1&resourceVersion={listed['metadata']['resourceVersion']}")
    assert watch.next()["type"] == "DELETED"
    server.request("PATCH", f"{PAGES}/p2", {"data": {"a": "b"}}, Content_Type="application/merge-patch+json")
    event = watch.next()
    watch.close()
    assert (event["type"], event["object"]["metadata"]["name"], event["object"]["data"]) == (
        "MODIFIED",
        "p2",
        {"a": "b"},
    )


def test_watchers_see_every_change_once_in_order(server: Server, ten: list[str]) -> None:
    _, listed = server.request("GET", PAGES)
    watches = [
        Watch(server, f"{PAGES}?watch=1&resourceVersion={listed['metadata']['resourceVersion']}") for _ in range(5)
    ]

    def write(worker: int) -> None:
        for i in range(20):
            server.request("POST", PAGES, {"metadata": {"name": f"w{worker}-{i}"}})

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for watch in watches:
        events = [watch.next() for _ in range(60)]
        revisions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
        assert revisions == sorted(set(revisions))
        assert {e["object"]["metadata"]["name"] for e in events} == {f"w{w}-{i}" for w in range(3) for i in range(20)}
        watch.close()
    for thread in threads:
        thread.join()


def test_a_list_whose_revision_is_gone_can_go_on_at_the_present_one(server: Server, ten: list[str]) -> None:
    forgotten = lists.token_of(-5, "pages", "p3")  # before all that any server remembers
    status, gone = server.request("GET", f"{PAGES}?limit=4&continue={forgotten}")
    assert (status, gone["reason"]) == (410, "Expired") and gone["message"].startswith(
        "The provided continue parameter is"
    )
    names: list[str] = []
    onward = gone["metadata"]["continue"]
    while onward:
        status, page = server.request("GET", f"{PAGES}?limit=4&continue={onward}")
        names += [item["metadata"]["name"] for item in page["items"]]
        onward = page["metadata"].get("continue")
    assert names == [f"p{i}" for i in range(4, 10)]


def test_one_object_is_watched_by_its_old_path_and_read_by_its_own(server: Server, ten: list[str]) -> None:
    assert server.request("GET", f"{PAGES}/p1?watch=1")[1]["kind"] == "ConfigMap"  # only collections heed `watch`
    old = PAGES.replace("/v1/", "/v1/watch/")
    watch = Watch(server, f"{old}/p1?fieldSelector=metadata.name%3Dp1&timeoutSeconds=1")
    assert watch.next()["object"]["metadata"]["name"] == "p1"
    assert watch.answer.readline() == b""
    watch.close()
    assert server.request("GET", f"{old}/p1?fieldSelector=metadata.name%3Dp2")[0] == 400


def test_objects_enter_and_leave_a_selection(server: Server, ten: list[str]) -> None:
    watch = Watch(
        server, f"{PAGES}?watch=1&labelSelector=parity%3D1&fieldSelector=metadata.name%3Dp0&timeoutSeconds=20"
    )
    for value in ("1", "0"):
        server.request(
            "PATCH",
            f"{PAGES}/p0",
            {"metadata": {"labels": {"parity": value}}},
            Content_Type="application/merge-patch+json",
        )
    assert [watch.next()["type"] for _ in range(2)] == ["ADDED", "DELETED"]
    watch.close()


@pytest.mark.parametrize(
    "path", [f"{PAGES}?", f"{PAGES}/p1?", f"{PAGES}?limit=1&", f"{PAGES}?resourceVersionMatch=Exact&"]
)
def test_a_revision_that_never_was_is_not_answered(server: Server, ten: list[str], path: str) -> None:
    status, said = server.request("GET", f"{path}resourceVersion=999999999")
    assert (status, said["reason"]) == (504, "Timeout")
    assert said["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_a_watch_from_a_revision_that_never_was_must_start_anew(server: Server, ten: list[str]) -> None:
    watch = Watch(server, f"{PAGES}?watch=1&resourceVersion=999999999")
    event = watch.next()
    assert (event["type"], event["object"]["code"], watch.answer.readline()) == ("ERROR", 410, b"")
    watch.close()


def test_a_list_by_watch_ends_with_a_bookmark(server: Server, ten: list[str]) -> None:
    watch = Watch(
        server,
        f"{PAGES}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=true&timeoutSeconds=20",
    )
    events = [watch.next() for _ in range(11)]
    watch.close()
    assert [e["object"]["metadata"]["name"] for e in events[:-1]] == ten
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_a_client_that_leaves_is_forgotten(server: Server, ten: list[str]) -> None:
    watch = Watch(server, f"{PAGES}?watch=1")
    assert watch.next()["type"] == "ADDED"
    sock = watch.connection.sock
    assert isinstance(sock, socket.socket)
    watch.close()
    deadline = time.monotonic() + 60
    while b'apiserver_longrunning_requests{verb="WATCH"} 0\n' not in server.request("GET", "/metrics")[1]:
        assert time.monotonic() < deadline, "the watch is still counted"
        time.sleep(0.01)

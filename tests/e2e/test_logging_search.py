"""From a container's mouth to the page: lines are found in seconds, by those who may read them, also when the pod is gone."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.serial, pytest.mark.timeout(300)]
SPEAK = """
import json, sys, time
for number in range(20):
    print(json.dumps({"level": "warning", "msg": "tide %d turned" % number, "depth": number}), flush=True)
print("plain words to stderr", file=sys.stderr, flush=True)
time.sleep(3600)
"""
WAIT = 90.0


class Reader:
    """Somebody who is logged in at the dashboard with a token."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        form = self._form()
        hidden = re.search(r'name="ticket" value="([^"]+)"', form)
        assert hidden, form[:2000]
        data = urllib.parse.urlencode({"token": token, "ticket": hidden[1]}).encode()
        login = urllib.request.Request(urllib.parse.urljoin(url, "login"), data, {"Referer": url})
        self._browser.open(login, timeout=20).close()

    def _form(self) -> str:
        """The login page, once the dashboard's pod answers."""
        deadline = time.monotonic() + WAIT
        while True:
            try:
                with self._browser.open(self.url, timeout=20) as page:
                    return str(page.read().decode())
            except OSError:
                assert time.monotonic() < deadline, f"no answer from {self.url}"
                time.sleep(0.3)

    def lines(self, query: str) -> list[dict[str, Any]]:
        """What a download of the last quarter of an hour holds; nothing while the store does not answer."""
        words = urllib.parse.urlencode({"q": query, "format": "json"})
        try:
            with self._browser.open(f"{self.url}c/local/logs/download?{words}", timeout=30) as answer:
                return [json.loads(line) for line in answer.read().splitlines()]
        except urllib.error.HTTPError as error:
            assert error.code == 503, error.read()
            return []

    def until(self, query: str, good: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + WAIT
        while not good(found := self.lines(query)):
            assert time.monotonic() < deadline, f"{query}: {found[:3]} of {len(found)}"
            time.sleep(0.3)
        return found


def speaker(namespace: str) -> str:
    container = {"name": "speaker", "image": "host", "command": [sys.executable, "-c", SPEAK]}
    about = {"name": "speaker", "namespace": namespace, "labels": {"app": "speaker"}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec})


def account(cluster: Cluster, namespace: str) -> str:
    """The token of an account that may read the logs of one namespace."""
    cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    cluster.kubectl("create", "role", "logs", "-n", namespace, "--verb=get", "--resource=pods/log")
    cluster.kubectl("create", "rolebinding", "logs", "-n", namespace, "--role=logs", f"--serviceaccount={namespace}:reader")
    return cluster.kubectl("create", "token", "reader", "-n", namespace).strip()


@pytest.fixture(scope="module")
def logging(cluster: Cluster) -> Cluster:
    """The cluster with the addon switched on, and its store ready."""
    cluster.kubectl("patch", "configmap", "addon-logging", "-n", "kube-system", "--type=merge",
                    "-p", '{"data": {"enabled": "true"}}')
    rollout = ("rollout", "status", "deployment/log-store", "-n", "kube-system", "--timeout=60s")
    cluster.until(lambda: cluster.run(*rollout).returncode == 0, timeout=60, what="the log store is ready")
    return cluster


def test_lines_are_found_by_those_who_may_read_them(logging: Cluster) -> None:
    cluster = logging
    for namespace in ("harbour", "galley"):
        cluster.kubectl("create", "namespace", namespace)
        cluster.until(lambda namespace=namespace: cluster.run("create", "-f", "-", stdin=speaker(namespace)).returncode == 0,
                      what="the namespace takes pods")
    found = re.search(r"(http://\S+/)\s+Login token\s+(\S+)", cluster.started)
    assert found, cluster.started
    admin = Reader(found[1], found[2])
    tides = admin.until("tide turned ns:(harbour OR galley)", lambda lines: len(lines) == 40)
    assert {line["level"] for line in tides} == {"warn"}
    assert {line["kubernetes"]["labels"]["app"] for line in tides} == {"speaker"}
    assert len(admin.lines("tide level:>=warn fields.depth:>=15 ns:harbour")) == 5
    assert len(admin.until('"plain words" stream:stderr', lambda lines: len(lines) == 2)) == 2
    assert admin.until("source:control-plane", bool), "the control plane's lines are there for who may read nodes/proxy"

    reader = Reader(found[1], account(cluster, "galley"))
    theirs = reader.until("", lambda lines: len(lines) >= 21)
    assert {line["kubernetes"]["namespace"] for line in theirs} == {"galley"}
    assert {line["source"] for line in theirs} == {"container"}
    assert reader.lines("ns:harbour OR NOT ns:galley OR source:node OR source:control-plane") == []

    cluster.kubectl("delete", "pod", "speaker", "-n", "harbour", "--wait=true")
    assert len(admin.lines("tide pod:speaker ns:harbour")) == 20, "lines outlive their pod"


def test_no_other_pod_may_ask_the_store(logging: Cluster) -> None:
    """The store knows the dashboard's token and the shipper's; any other account's is turned away, and so is none."""
    token = logging.kubectl("create", "token", "default", "-n", "default").strip()
    service = logging.get("service", "log-store", "-n", "kube-system")["spec"]
    store = f"http://{service['clusterIP']}:{service['ports'][0]['port']}"
    scope = {"logs": None, "events": None, "nodes": True}
    for path in ("search", "tail", "download", "ingest"):
        for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}"}, 403), ({"Authorization": "Bearer x"}, 401)):
            request = urllib.request.Request(f"{store}/{path}", json.dumps({"scope": scope}).encode(), headers)
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=20)
            assert refused.value.code == status, (path, headers)

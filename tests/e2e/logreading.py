"""What the tests of log search share: somebody who reads at the dashboard, and pods that have something to say."""

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

from tests.e2e.cluster import Cluster

WAIT = 90.0
SPEAK = """
import json, sys, time
for number in range(20):
    print(json.dumps({"level": "warning", "msg": "tide %d turned" % number, "depth": number}), flush=True)
print("plain words to stderr", file=sys.stderr, flush=True)
time.sleep(3600)
"""


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


def speaker(namespace: str, name: str = "speaker") -> str:
    """A pod that prints the words of SPEAK."""
    container = {"name": "speaker", "image": "host", "command": [sys.executable, "-c", SPEAK]}
    about = {"name": name, "namespace": namespace, "labels": {"app": "speaker"}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec})


def account(cluster: Cluster, namespace: str) -> str:
    """The token of an account that may read the logs of one namespace."""
    cluster.kubectl("create", "serviceaccount", "reader", "-n", namespace)
    cluster.kubectl("create", "role", "logs", "-n", namespace, "--verb=get", "--resource=pods/log")
    cluster.kubectl(
        "create", "rolebinding", "logs", "-n", namespace, "--role=logs", f"--serviceaccount={namespace}:reader"
    )
    return cluster.kubectl("create", "token", "reader", "-n", namespace).strip()


def change(cluster: Cluster, **data: str) -> None:
    """The addon's options, as an admin changes them; returns when its pods are those of the new ones, and ready."""
    cluster.kubectl(
        "patch", "configmap", "addon-logging", "-n", "kube-system", "--type=merge", "-p", json.dumps({"data": data})
    )
    for workload in ("deployment/log-store", "daemonset/log-shipper"):
        args = ("get", workload, "-n", "kube-system", "-o", "jsonpath={.spec.template.spec.containers[0].args}")
        cluster.until(
            lambda args=args: cluster.kubectl(*args),
            lambda seen: f"--store={data['store']}" in seen,
            what=f"{workload} has the new options",
        )
        rollout = ("rollout", "status", workload, "-n", "kube-system", "--timeout=60s")
        cluster.until(
            lambda rollout=rollout: cluster.run(*rollout).returncode == 0, timeout=60, what=f"{workload} is ready"
        )


def admin(cluster: Cluster) -> Reader:
    """Who may see everything, with the token that the start has printed."""
    found = re.search(r"(http://\S+/)\s+Login token\s+(\S+)", cluster.started)
    assert found, cluster.started
    return Reader(found[1], found[2])

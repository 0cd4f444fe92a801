"""The admin pages of the addons on a running cluster: a change is rolled out, one that cannot be healthy rolled back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.conftest import made
from tests.e2e.machine import ROOT

pytestmark = [pytest.mark.serial, pytest.mark.timeout(180)]
WAIT = 60.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of an ordinary user with an addon of the tests' own."""
    with made("user", BINNACLE_ADDONS=str(ROOT / "tests" / "e2e" / "addons")) as cluster:
        cluster.up()
        yield cluster


class Admin:
    """Somebody at the admin pages, with a browser that keeps cookies."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.root = cluster, f"http://127.0.0.1:{cluster.port}/admin/"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def log_in(self) -> None:
        environment = {
            **self.cluster.environment,
            "BINNACLE_PORT": str(self.cluster.port),
            "DJANGO_SUPERUSER_PASSWORD": "a long one",
            "DJANGO_SUPERUSER_USERNAME": "anna",
            "DJANGO_SUPERUSER_EMAIL": "anna@example.org",
        }
        done = subprocess.run(
            [*self.cluster.prefix, sys.executable, "manage.py", "createsuperuser", "--noinput", "--skip-checks"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.cluster.until(lambda: self.page("login/"), lambda page: "password" in page, WAIT, "the admin pages answer")
        assert "Greeter" in self.send("login/", username="anna", password="a long one", next="/admin/")

    def page(self, path: str) -> str:
        with self._opener.open(self.root + path, timeout=20) as answer:
            return str(answer.read().decode())

    def send(self, path: str, **fields: str) -> str:
        """Fill in the form of a page and send it; the page that follows."""
        form = dict(re.findall(r'name="(csrfmiddlewaretoken|seen)" value="([^"]+)"', self.page(path)))
        request = urllib.request.Request(
            self.root + path, urllib.parse.urlencode({**form, **fields}).encode(), {"Referer": self.root + path}
        )
        with self._opener.open(request, timeout=20) as answer:
            return str(answer.read().decode())

    def change(self, addon: str, **values: str) -> str:
        """Change options of an addon in its form, the others left as they are."""
        config = config_of(self.cluster, addon)["data"]
        return self.send(f"addon/{addon}/", **{**{k: v for k, v in config.items() if k != "enabled"}, **values})


def config_of(cluster: Cluster, addon: str) -> dict[str, Any]:
    found: dict[str, Any] = cluster.get("-n", "kube-system", "configmap", f"addon-{addon}")
    return found


def note(cluster: Cluster, addon: str, name: str) -> str:
    found: str = (config_of(cluster, addon)["metadata"].get("annotations") or {}).get(f"addons.binnacle/{name}", "")
    return found


def until_note(cluster: Cluster, addon: str, name: str, words: str) -> str:
    found: str = cluster.until(
        lambda: note(cluster, addon, name), lambda text: words in text, WAIT, f"{name} of {addon} says {words!r}"
    )
    return found


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Admin:
    made = Admin(cluster)
    made.log_in()
    return made


def test_a_change_in_the_form_is_rolled_out(cluster: Cluster, admin: Admin) -> None:
    until_note(cluster, "dns", "state", "healthy")
    assert "Changed rollout_deadline from 120 to 20, ttl from 5 to 7." in admin.change(
        "dns", ttl="7", rollout_deadline="20"
    )
    until_note(cluster, "dns", "in-force", '"ttl":"7"')
    assert cluster.path("-n", "kube-system", "configmap", "kube-dns", "{.data.ttl}") == "7"
    page = admin.page("addon/dns/")
    assert re.search(r"anna.*<b>ttl</b> <code>5</code> → <code>7</code>", page, re.S), "the trail says who, from and to"


def test_what_can_not_become_healthy_is_rolled_back(cluster: Cluster, admin: Admin) -> None:
    until_note(cluster, "greeter", "state", "healthy")
    admin.change("greeter", command="false", rollout_deadline="8")
    last = json.loads(until_note(cluster, "greeter", "last-rollout", "rolled back"))
    assert last["tried"] == {"command": "false", "rollout_deadline": "8"} and last["inForce"]["command"] == "sleep 1000"
    assert "not healthy after 8 s" in last["reason"]
    assert config_of(cluster, "greeter")["data"]["command"] == "sleep 1000"
    until_note(cluster, "greeter", "state", "healthy")
    trail = admin.page("audit/?addon=greeter")
    assert re.search(
        r"addon-manager.*rolled back.*<code>false</code> → <code>sleep 1000</code>.*anna.*changed", trail, re.S
    )
    described = cluster.until(
        lambda: cluster.kubectl("-n", "kube-system", "describe", "configmap", "addon-greeter"),
        lambda text: "AddonRolledBack" in text,
        WAIT,
        "an event tells of the rollback",
    )
    assert "In force: command=sleep 1000" in described


def test_what_kubectl_writes_is_checked_too(cluster: Cluster, admin: Admin) -> None:
    cluster.kubectl("-n", "kube-system", "patch", "configmap", "addon-dns", "-p", '{"data": {"ttl": "soon"}}')
    error = until_note(cluster, "dns", "error", 'ttl: "soon" is not a whole number')
    assert "from 0 to 3600" in error and '"ttl":"7"' in note(cluster, "dns", "in-force")
    assert "kubectl-patch" in admin.page("audit/?addon=dns"), "kubectl named itself"
    cluster.kubectl("-n", "kube-system", "patch", "configmap", "addon-dns", "-p", '{"data": {"ttl": "6"}}')
    until_note(cluster, "dns", "in-force", '"ttl":"6"')
    assert note(cluster, "dns", "error") == ""

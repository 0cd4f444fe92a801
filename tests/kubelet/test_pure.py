"""Expansion, service variables, references, quantities, back-off, DNS files: functions of their arguments."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from kube import quantity
from kubelet import fields, podfiles, services
from kubelet.backoff import CrashBackoff
from kubelet.capabilities import DEFAULT, filtered, granted
from kubelet.containers import Builder, limits
from kubelet.envs import Environment
from kubelet.expand import expand
from kubelet.fields import PodFacts
from kubelet.runtimes.base import RUNTIME_DEFAULT, UNCONFINED, ConfigError
from kubelet.runtimes.process import images
from kubelet.runtimes.process.addresses import AddressPool
from kubelet.shim.confine import CAPABILITIES
from tests.kubelet.fakeapi import pod

FACTS = PodFacts("10.0.0.9", "10.0.0.1", 2000, 1 << 30)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$A $", "$A $"),
        ("$$$(A)", "$1"),
        ("$(A", "$(A"),
        ("$()", "$()"),
    ],
)
def test_expansion(text: str, result: str) -> None:
    assert expand(text, {"A": "1"}) == result


def service(name: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": "10.96.0.5", **spec}}


def test_service_variables_in_both_styles() -> None:
    web = service("my-web", ports=[{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}])
    found = services.environment([web, service("headless", clusterIP="None")], "default", links=True)
    assert found["MY_WEB_SERVICE_HOST"] == "10.96.0.5"
    assert found["MY_WEB_SERVICE_PORT"] == found["MY_WEB_SERVICE_PORT_HTTP"] == "80"
    assert found["MY_WEB_PORT"] == found["MY_WEB_PORT_80_TCP"] == "tcp://10.96.0.5:80"
    assert found["MY_WEB_PORT_53_UDP_PROTO"] == "udp"
    assert not any(name.startswith("HEADLESS") for name in found)


def test_without_links_only_the_api_is_named() -> None:
    known = [service("kubernetes", ports=[{"port": 443}]), service("web", "other", ports=[{"port": 80}])]
    found = services.environment(known, "other", links=False)
    assert found["KUBERNETES_SERVICE_HOST"] == "10.96.0.5"
    assert "WEB_SERVICE_HOST" not in found


class Objects:
    async def get(self, kind: str, namespace: str, name: str, pod_uid: str) -> Any:
        return {
            ("configmaps", "cm"): {"data": {"k": "v", "b=d": "no", "ok": "yes"}},
            ("secrets", "s"): {"data": {"p": base64.b64encode(b"pass").decode()}},
        }.get((kind, name))


def environment(**container: Any) -> dict[str, str]:
    made = pod("p", {"name": "c", **container})
    made["metadata"].update(uid="u", labels={"app": "web"})
    builder = Environment(made, made["spec"]["containers"][0], Objects(), FACTS)
    return asyncio.run(builder.build({"SVC": "1"}))


def test_environment_from_everywhere_later_entries_seeing_earlier_ones() -> None:
    found = environment(
        envFrom=[{"prefix": "X_", "configMapRef": {"name": "cm"}}],
        env=[
            {"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}},
            {"name": "Q", "value": "$(P)/$(SVC)/$(X_k)/$(LATER)"},
            {"name": "LATER", "value": "x"},
            {"name": "L", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "p", "optional": True}}},
        ],
    )
    assert found == {"SVC": "1", "X_k": "v", "X_ok": "yes", "P": "pass", "Q": "pass/1/v/$(LATER)", "LATER": "x",
                     "L": "web", "CPU": "2"}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"secretKeyRef": {"name": "s", "key": "x"}}, "couldn't find key x in Secret default/s"),
        ({"fieldRef": {"fieldPath": "spec.nothing"}}, "fieldPath 'spec.nothing'"),
    ],
)
def test_missing_references_are_named(source: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        environment(env=[{"name": "A", "valueFrom": source}])


def test_labels_as_a_file() -> None:
    made = pod("p", {"name": "c"})
    made["metadata"].update(uid="u", labels={"b": 'say "hi"', "a": "1"})
    assert fields.field(made, "metadata.labels", FACTS) == 'a="1"\nb="say \\"hi\\""'


@pytest.mark.parametrize(("text", "unit", "value"), [("1500m", 1, 2), ("1Gi", "1Mi", 1024), ("2", "1m", 2000),
                                                     ("1e3", 1, 1000), (".5", "1m", 500)])  # fmt: skip
def test_quantities(text: str, unit: Any, value: int) -> None:
    assert quantity.units(text, unit) == value


def test_a_quantity_that_is_none() -> None:
    with pytest.raises(ValueError, match="'1 GB' is not a quantity"):
        quantity.parse("1 GB")


def test_limits_of_a_container() -> None:
    resources = {"limits": {"cpu": "500m", "memory": "64Mi"}, "requests": {"cpu": "250m"}}
    found = limits({"resources": resources})
    assert (found.cpu_millis, found.memory_bytes, found.shares) == (500, 64 << 20, 256)


def test_crash_backoff_first_at_once_then_doubling_and_forgetting() -> None:
    backoff = CrashBackoff()
    waits = []
    for _ in range(8):
        waits.append(backoff.ready_at("c", 100, 101) - 101)
        backoff.restarted("c")
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]
    assert backoff.ready_at("c", 0, 601) == 601


def test_addresses_are_not_used_again_at_once_and_run_out() -> None:
    pool = AddressPool("10.0.0.0/29")
    first = pool.take("a")
    assert (first, pool.gateway) == ("10.0.0.2", "10.0.0.1")
    pool.release("a")
    assert [pool.take(name) for name in "bcde"] == ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
    assert pool.take("f") == "10.0.0.2"
    with pytest.raises(OSError, match=r"no free pod address in 10\.0\.0\.0/29"):
        pool.take("g")
    # After a restart of the kubelet, too, an address that may just have been given back is the last to be used.
    pool = AddressPool("10.0.0.0/24")
    pool.claim("10.0.0.7", "a")
    assert pool.take("b") == "10.0.0.8"


@pytest.mark.parametrize(("image", "known"), [("host", True), ("host:v2", True), ("binnacle/dns:1", True),
                                              ("binnacle/dns@sha256:0", True), ("hosts", False),
                                              ("reg:5000/binnacle/x", False), ("nginx:1.27", False)])  # fmt: skip
def test_known_images(image: str, known: bool) -> None:
    assert images.known(image) is known


def test_resolv_conf_of_the_cluster_and_of_the_machine() -> None:
    machine = "search corp\nnameserver 9.9.9.9\n"
    made = pod("p", {"name": "c"}, dnsConfig={"options": [{"name": "ndots", "value": "2"}]})
    text = podfiles.resolv_conf(made, "10.96.0.10", "cluster.local", machine)
    assert text == (
        "search default.svc.cluster.local svc.cluster.local cluster.local corp\n"
        "nameserver 10.96.0.10\noptions ndots:2\n"
    )
    host = pod("p", {"name": "c"}, hostNetwork=True)
    assert podfiles.resolv_conf(host, "10.96.0.10", "cluster.local", machine) == "search corp\nnameserver 9.9.9.9\n"


def test_hosts_file_with_subdomain_and_aliases() -> None:
    made = pod("db-0", {"name": "c"}, subdomain="db", hostAliases=[{"ip": "1.2.3.4", "hostnames": ["x", "y"]}])
    text = podfiles.hosts(made, "10.0.0.9", "n1", "cluster.local", "")
    assert "10.0.0.9\tdb-0.db.default.svc.cluster.local\tdb-0\n" in text
    assert text.endswith("1.2.3.4\tx\ty\n")


@pytest.mark.parametrize("length", [3, 253])
def test_the_log_folder_of_a_pod_has_a_name_that_a_folder_may_have(length: int) -> None:
    unused: Any = None
    builder = Builder(unused, Path("/logs"), unused, unused, unused, "n1", True, False, unused)
    obj = pod("p" * length, {"name": "c"})
    obj["metadata"]["uid"] = "0b7c9f6e-0000-4000-8000-000000000001"
    name = builder.log_folder(obj).name
    assert name.startswith("default_ppp") and name.endswith(f"_{obj['metadata']['uid']}") and len(name) <= 255


def test_a_pod_that_asks_for_a_user_namespace_is_told_that_there_is_none() -> None:
    unused: Any = None
    builder = Builder(unused, Path("/logs"), unused, unused, unused, "n1", True, False, unused)
    obj = pod("p", {"name": "c"}, hostUsers=False)
    with pytest.raises(ConfigError, match="hostUsers: false cannot be had"):
        asyncio.run(builder.build(obj, obj["spec"]["containers"][0], 0, "", {}))


@pytest.mark.parametrize(
    ("security", "names"),
    [
        ({}, DEFAULT),
        ({"capabilities": {"drop": ["NET_RAW"]}}, DEFAULT - {"NET_RAW"}),
        ({"capabilities": {"drop": ["cap_net_raw"], "add": ["SYS_TIME"]}}, DEFAULT - {"NET_RAW"} | {"SYS_TIME"}),
        ({"capabilities": {"drop": ["ALL"]}}, frozenset()),
        ({"capabilities": {"drop": ["all"], "add": ["NET_BIND_SERVICE"]}}, {"NET_BIND_SERVICE"}),
        ({"capabilities": {"add": ["ALL"], "drop": ["SYS_ADMIN"]}}, set(CAPABILITIES) - {"SYS_ADMIN"}),
        ({"capabilities": {"drop": ["KILL"], "add": ["KILL"]}}, DEFAULT - {"KILL"}),
        ({"privileged": True, "capabilities": {"drop": ["ALL"]}}, set(CAPABILITIES)),
    ],
)
def test_capabilities(security: dict[str, Any], names: set[str]) -> None:
    assert granted(security) == names


def test_an_unknown_capability_is_named() -> None:
    with pytest.raises(ConfigError, match='unknown capability "FLY"'):
        granted({"capabilities": {"drop": ["FLY"]}})


LOCAL = {"seccompProfile": {"type": "Localhost", "localhostProfile": "profiles/my.json"}}


@pytest.mark.parametrize(
    ("of_pod", "of_container", "profile"),
    [
        (None, {}, RUNTIME_DEFAULT),
        ("Unconfined", {}, UNCONFINED),
        ("Unconfined", {"seccompProfile": {"type": "RuntimeDefault"}}, RUNTIME_DEFAULT),
        ("RuntimeDefault", {"seccompProfile": {"type": "Unconfined"}}, UNCONFINED),
        (None, {"privileged": True}, UNCONFINED),
        (None, LOCAL | {"privileged": True}, UNCONFINED),
        ("Unconfined", LOCAL, "/kubelet/seccomp/profiles/my.json"),
    ],
)
def test_the_filter_of_system_calls(of_pod: str | None, of_container: dict[str, Any], profile: str) -> None:
    spec = {"securityContext": {"seccompProfile": {"type": of_pod}}} if of_pod else {}
    assert filtered({"spec": spec}, of_container, Path("/kubelet/seccomp")) == profile


@pytest.mark.parametrize("name", ["/etc/passwd", "../pki/ca.key", "a/../../b", ""])
def test_a_profile_lies_below_the_folder_of_them(name: str) -> None:
    with pytest.raises(ConfigError, match=f'seccomp profile "{name}" is no path below'):
        filtered({"spec": {}}, {"seccompProfile": {"type": "Localhost", "localhostProfile": name}}, Path("/seccomp"))

"""The admission configuration file, and the plugins that are configured by it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import environment
from cluster.admission import configuration
from cluster.admission.chain import default_chain, make_chain
from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from kube.errors import Forbidden, TooManyRequests
from kube.objects import Json
from tests.cluster.sessions import NS, make, pod

ROOT = Path(__file__).resolve().parents[2]
HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\n"
RATES = "eventratelimit.admission.k8s.io/v1alpha1"
TOLERATIONS = "podtolerationrestriction.admission.k8s.io/v1alpha1"
GPU: Json = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}


@pytest.fixture
def admin(cache: Cache, store: Store) -> Session:
    return make(cache, store)


def with_plugin(admin: Session, name: str, configured: Json | None = None, user: str = "bob") -> Session:
    chain = make_chain((name,), configured={name: configured} if configured is not None else None)
    return Session(1, user, admin.cache, admin.store, chain=chain)


def limits(*limits: tuple[str, int, int]) -> Json:
    listed = [{"type": type_, "qps": qps, "burst": burst} for type_, qps, burst in limits]
    return {"apiVersion": RATES, "kind": "Configuration", "limits": listed}


def event(name: str, about: str = "web", component: str = "test") -> Json:
    involved = {"kind": "Pod", "namespace": NS, "name": about}
    return {"metadata": {"name": name}, "involvedObject": involved, "source": {"component": component}}


# -- the file ------------------------------------------------------------------------------------------------------------


def test_configurations_stand_in_the_file_or_beside_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "rates.yaml").write_text(json.dumps(limits(("Server", 1, 2))))
    file = tmp_path / "admission.yaml"
    inline = f"- name: PodTolerationRestriction\n  configuration: {{apiVersion: {TOLERATIONS}, kind: Configuration}}\n"
    file.write_text(
        f"{HEAD}plugins:\n- name: EventRateLimit\n  path: below/rates.yaml\n{inline}- name: ServiceAccount\n"
    )
    assert configuration.load(file) == {
        "EventRateLimit": limits(("Server", 1, 2)),
        "PodTolerationRestriction": {"apiVersion": TOLERATIONS, "kind": "Configuration"},
    }
    file.write_text(HEAD)
    assert configuration.load(file) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "admission.yaml: not valid YAML: yaml: line 1"),
        ("- a\n", "admission.yaml: not an object"),
        ("{}", "admission.yaml: Object missing required field `apiVersion`"),
        (HEAD.replace("/v1", "/v7"), "Invalid enum value 'apiserver.config.k8s.io/v7' - at `$.apiVersion`"),
        (HEAD + "plugin: []\n", "Object contains unknown field `plugin`"),
        (HEAD + "plugins: [{name: 7}]\n", "Expected `str`, got `int` - at `$.plugins[0].name`"),
        (HEAD + "plugins: [{name: ''}]\n", "plugins[0]: name is empty"),
        (HEAD + "plugins: [{name: A}, {name: B, path: gone.yaml}]\n", "gone.yaml: No such file or directory"),
        (HEAD + "plugins: [{name: A, configuration: {}}, {name: A}]\n", "plugins[1]: A is configured twice"),
        (HEAD + "plugins: [{name: A, path: b, configuration: {}}]\n", "A has both path and configuration"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "admission.yaml"
    file.write_text(text)
    with pytest.raises(ValueError) as raised:
        configuration.load(file)
    assert words in str(raised.value) and str(tmp_path) in str(raised.value)


@pytest.mark.parametrize(
    ("name", "configured", "words"),
    [
        ("Nothing", {}, "no admission plugin is called 'Nothing'"),
        ("ServiceAccount", {}, "admission plugin ServiceAccount: it takes no configuration"),
        ("EventRateLimit", {}, "its configuration: Object missing required field `apiVersion`"),
        ("EventRateLimit", limits(), "Expected `array` of length >= 1 - at `$.limits`"),
        ("EventRateLimit", limits(("Node", 1, 1)), "Invalid enum value 'Node' - at `$.limits[0].type`"),
        ("EventRateLimit", limits(("Server", 0, 1)), "Expected `int` >= 1 - at `$.limits[0].qps`"),
        ("PodTolerationRestriction", {"apiVersion": TOLERATIONS, "kind": "Wrong"}, "Invalid enum value 'Wrong'"),
        (
            "PodTolerationRestriction",
            {"apiVersion": TOLERATIONS, "kind": "Configuration", "whitelist": [{"key": "a", "effect": "Odd"}]},
            "its configuration: whitelist[0].effect: Unsupported value",
        ),
    ],
)
def test_what_a_plugin_cannot_be_configured_with_is_said(name: str, configured: Json, words: str) -> None:
    with pytest.raises(ValueError) as raised:
        make_chain(configured={name: configured})
    assert words in str(raised.value)


def test_limits_are_needed_where_they_are_switched_on() -> None:
    with pytest.raises(ValueError, match="admission plugin EventRateLimit: it needs a configuration with limits"):
        make_chain(("EventRateLimit",))
    make_chain(("EventRateLimit",), disabled=("EventRateLimit",))


def test_an_api_server_with_a_bad_file_does_not_start(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "apiserver",
        "--var",
        str(tmp_path),
        "--admission-control-config-file",
        "gone.yaml",
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and ended.stderr == "apiserver: gone.yaml: No such file or directory\n"


def test_the_settings_count_for_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "admission.yaml"
    monkeypatch.setenv(environment.ADMISSION_PLUGINS.name, "EventRateLimit")
    monkeypatch.setenv(environment.ADMISSION_CONFIG.name, str(file))
    default_chain.cache_clear()
    with pytest.raises(ValueError, match=r"admission\.yaml: No such file"):
        default_chain()
    plugin = {"name": "EventRateLimit", "configuration": limits(("Server", 1, 1))}
    file.write_text(f"{HEAD}plugins: {json.dumps([plugin])}\n")
    try:
        assert "EventRateLimit" in [type(plugin).__name__ for plugin in default_chain().plugins]
    finally:
        default_chain.cache_clear()


# -- EventRateLimit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "shown", "another"),
    [
        ("Server", "", None),
        ("Namespace", NS, "namespace"),
        ("User", "bob", "user"),
        ("SourceAndObject", f"testPod{NS}web", "object"),
    ],
)
def test_events_are_limited_by_what_they_have_in_common(
    admin: Session, type_: str, shown: str, another: str | None
) -> None:
    admin.create("namespaces", "", {"metadata": {"name": "other"}})
    bob = with_plugin(admin, "EventRateLimit", limits((type_, 1, 2)))
    start = time.monotonic()
    made = 0
    with pytest.raises(TooManyRequests) as raised:
        while made < 50:
            bob.create("events", NS, event(f"e{made}"))
            made += 1
    assert 2 <= made <= 3 + (time.monotonic() - start)
    assert raised.value.message == f"Too many requests: limit reached on type {type_} for key {shown}"
    assert raised.value.code == 429
    bob.create("configmaps", NS, {"metadata": {"name": "free"}})
    if another == "namespace":
        bob.create("events", "other", event("e") | {"involvedObject": {"kind": "Pod", "namespace": "other"}})
    elif another == "user":
        Session(1, "ann", admin.cache, admin.store, chain=bob.chain).create("events", NS, event("of-ann"))
    elif another == "object":
        bob.create("events", NS, event("another", about="db"))


def test_a_dry_run_costs_no_limit_and_an_update_does(admin: Session) -> None:
    bob = with_plugin(admin, "EventRateLimit", limits(("Server", 1, 1), ("User", 1, 1)))
    for number in range(5):
        bob.create("events", NS, event(f"e{number}"), dry_run=True)
    admin.create("events", NS, event("e"))
    bob.mutate("events", NS, "e", lambda obj: obj.update(count=0))
    with pytest.raises(
        TooManyRequests, match=r"\[limit reached on type Server for key , limit reached on type User for"
    ):
        for number in range(50):
            bob.mutate("events", NS, "e", lambda obj, n=number: obj.update(count=n + 1))  # type: ignore[misc]


# -- PodTolerationRestriction --------------------------------------------------------------------------------------------


def annotate(admin: Session, kind: str, tolerations: list[Json] | str) -> None:
    text = tolerations if isinstance(tolerations, str) else json.dumps(tolerations)
    name = f"scheduler.alpha.kubernetes.io/{kind}"
    admin.mutate("namespaces", "", NS, lambda obj: obj["metadata"].setdefault("annotations", {}).update({name: text}))


def everything() -> Json:
    return {"operator": "Exists"}


def test_a_pod_bears_what_its_namespace_does_and_what_memory_pressure_is_to_it(admin: Session) -> None:
    cluster: Json = {
        "apiVersion": TOLERATIONS,
        "kind": "Configuration",
        "default": [{"key": "a", "operator": "Exists"}],
    }
    bob = with_plugin(admin, "PodTolerationRestriction", cluster)

    def keys(obj: Json) -> set[str]:
        return {t["key"] for t in obj["spec"]["tolerations"]} - {
            "node.kubernetes.io/not-ready",
            "node.kubernetes.io/unreachable",
        }

    assert keys(bob.create("pods", NS, pod("a"))) == {"a"}
    annotate(admin, "defaultTolerations", [GPU])
    assert keys(bob.create("pods", NS, pod("b"))) == {"gpu"}
    asks = {"name": "c", "image": "host", "resources": {"requests": {"cpu": "1"}}}
    assert keys(bob.create("pods", NS, pod("c", containers=[asks]))) == {"gpu", "node.kubernetes.io/memory-pressure"}
    annotate(admin, "defaultTolerations", "")
    assert keys(bob.create("pods", NS, pod("d"))) == set()


def test_of_tolerations_the_wider_ones_stay(admin: Session) -> None:
    annotate(admin, "defaultTolerations", [GPU, {"key": "a", "operator": "Equal", "value": "1"}])
    wide = {"key": "gpu", "operator": "Exists"}
    narrow = {"key": "a", "operator": "Equal", "value": "1", "effect": "NoSchedule"}
    bob = with_plugin(admin, "PodTolerationRestriction")
    made = bob.create("pods", NS, pod("a", tolerations=[wide, narrow]))["spec"]["tolerations"]
    assert wide in made and GPU not in made and narrow not in made
    assert {"key": "a", "operator": "Equal", "value": "1"} in made
    made = bob.create("pods", NS, pod("b", tolerations=[everything()]))["spec"]["tolerations"]
    assert made == [everything()]


DEFAULT: list[Json] = [
    {"key": f"node.kubernetes.io/{taint}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for taint in ("not-ready", "unreachable")
]


@pytest.mark.parametrize(
    ("allowed", "asked", "may"),
    [
        ([GPU], GPU, True),
        ([{"key": "gpu", "operator": "Exists"}], GPU, True),
        ([everything()], GPU, True),
        ([{**GPU, "effect": "NoExecute"}], GPU, False),
        ([GPU], {"key": "gpu", "operator": "Exists"}, False),
        ([GPU], everything(), False),
        ([{"key": "gpu", "value": "a"}], {"key": "gpu", "operator": "Equal", "value": "a"}, True),
        ([{"key": "gpu", "value": "a"}], {"key": "gpu", "value": "b"}, False),
        ([{"key": "gpu", "value": ""}], GPU, False),
        (
            [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 10}],
            {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9},
            True,
        ),
        (
            [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 10}],
            {"key": "a", "operator": "Exists", "effect": "NoExecute"},
            False,
        ),
    ],
)
def test_no_pod_bears_more_than_its_namespace_allows(
    admin: Session, allowed: list[Json], asked: Json, may: bool
) -> None:
    annotate(admin, "tolerationsWhitelist", [*DEFAULT, *allowed])
    bob = with_plugin(admin, "PodTolerationRestriction")
    if may:
        assert asked in bob.create("pods", NS, pod(tolerations=[asked]))["spec"]["tolerations"]
    else:
        with pytest.raises(Forbidden, match="conflict with its namespace whitelist"):
            bob.create("pods", NS, pod(tolerations=[asked]))


def test_the_clusters_list_counts_where_a_namespace_has_none(admin: Session) -> None:
    cluster: Json = {"apiVersion": TOLERATIONS, "kind": "Configuration", "whitelist": DEFAULT}
    bob = with_plugin(admin, "PodTolerationRestriction", cluster)
    bob.create("pods", NS, pod("a"))
    with pytest.raises(Forbidden, match="conflict with its namespace whitelist"):
        bob.create("pods", NS, pod("b", tolerations=[GPU]))
    annotate(admin, "tolerationsWhitelist", "")
    bob.create("pods", NS, pod("b", tolerations=[GPU]))


@pytest.mark.parametrize("text", ["[", "{}", '[{"key": 7}]', "[null]", '[{"colour": "red"}]'])
def test_an_annotation_that_is_no_list_of_tolerations_is_told(admin: Session, text: str) -> None:
    annotate(admin, "defaultTolerations", text)
    with pytest.raises(Forbidden, match="annotation is no list of tolerations"):
        with_plugin(admin, "PodTolerationRestriction").create("pods", NS, pod())

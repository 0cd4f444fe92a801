"""What a pod requests and is limited to, by the table of cases; and against a slow reference that acts it out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.admission import limit_ranger, quota_usage
from cluster.store import Key
from dashboard import amounts, rows
from kube.kinds.pod.defaults import default_pod
from kube.objects import Json
from kube.pods import resources
from kube.pods.podutil import is_sidecar
from kube.pods.resources import in_force, is_limited, limits, requests, tolerant
from kube.quantity import NANO, parse
from kube.registry import load
from kube.resourcelist import MILLI, nano
from scheduler.pods import pod_class
from tests.kube.pods.cases import CASES, IDS, Case, container, pod, sidecar

every_case = pytest.mark.parametrize("case", CASES, ids=IDS)


def _both(found: dict[str, int]) -> tuple[int, int]:
    return -(-found.get("cpu", 0) // MILLI), -(-found.get("memory", 0) // NANO)


@every_case
def test_the_one_count(case: Case) -> None:
    spec = in_force(pod(case))
    assert _both(requests(spec, nano)) == _both(requests(spec, tolerant)) == case.requests
    assert _both(limits(spec, nano)) == case.limits
    assert (is_limited(spec, "cpu"), is_limited(spec, "memory")) == case.limited


@every_case
def test_the_scheduler(case: Case) -> None:
    found = pod_class(pod(case)).requests
    assert (found.get("cpu", 0), found.get("memory", 0)) == case.requests


@every_case
def test_a_quota(case: Case) -> None:
    kind = load().by_storage("pods")
    assert kind is not None
    used = {name: amount.nano for name, amount in quota_usage.usage(kind, pod(case)).items()}
    for prefix in ("", "requests."):
        assert _both({n: used.get(prefix + n, 0) for n in ("cpu", "memory")}) == case.requests
    assert _both({n: used.get("limits." + n, 0) for n in ("cpu", "memory")}) == case.limits


@every_case
def test_a_limit_range_counts_without_overhead_and_as_the_spec_says(case: Case) -> None:
    spec = {name: value for name, value in case.spec.items() if name != "overhead"}
    asked, most = _both(requests(spec, nano)), _both(limits(spec, nano))
    for i, name in enumerate(("cpu", "memory")):
        least = f"{asked[i] + 1}m" if name == "cpu" else str(asked[i] + 1)
        [problem] = _problems(case.spec, {"min": {name: least}})
        written = parse(problem.rpartition(" ")[2]) if asked[i] else None
        assert written is None or -(-written.nano // (MILLI if name == "cpu" else NANO)) == asked[i]
        if most[i]:
            bound = f"{most[i]}m" if name == "cpu" else str(most[i])
            assert _problems(case.spec, {"max": {name: bound}}) == []


def _problems(spec: Json, limit: Json) -> list[str]:
    entry = SimpleNamespace(object=lambda: {"spec": {"limits": [{"type": "Pod", **limit}]}})
    cache = SimpleNamespace(list=lambda storage, namespace: [entry])
    request: Any = SimpleNamespace(obj={"spec": spec}, cache=cache, namespace="default")
    return list(limit_ranger._pod_problems(request))


@every_case
def test_the_dashboard(case: Case) -> None:
    entry: Any = SimpleNamespace(key=Key("pods", "default", "web"), meta=SimpleNamespace(creationTimestamp=None))
    shown = orjson.loads(rows.encode(0, entry, pod(case), []))[-1]
    assert (shown[0], shown[2]) == case.requests
    assert (shown[1], shown[3]) == tuple(
        most if bound else 0 for most, bound in zip(case.limits, case.limited, strict=True)
    )


@every_case
def test_defaults_of_the_whole_pod_are_the_count_of_its_containers(case: Case) -> None:
    made = pod(case)
    made["spec"]["resources"] = {"limits": {"cpu": "99"}}
    default_pod(made)
    alone = {**made["spec"], "resources": {}, "overhead": {}}
    asked = requests(alone, nano).get("cpu")
    assert nano(made["spec"]["resources"]["requests"]["cpu"]) == (asked or 99 * NANO)


def test_scoring_has_a_floor_for_each_container_that_says_nothing() -> None:
    def scored(spec: Json) -> tuple[int, int]:
        return _both(requests(spec, nano, missing=resources.SCORED))

    mib = 2**20
    assert scored({"containers": [container(), container("1")]}) == (1100, 400 * mib)
    assert scored({"containers": [container("0", "0")]}) == (0, 0)
    assert scored({"containers": [container("50m")], "initContainers": [sidecar(), container()]}) == (200, 400 * mib)
    # What is said of the pod or of any of its containers holds then for all of it.
    whole = {"resources": {"requests": {"memory": "1Gi"}}, "containers": [container("50m"), container()]}
    assert scored(whole) == (50, 1024 * mib)
    assert scored({**whole, "containers": [container()]}) == (100, 1024 * mib)


def test_limits_stand_in_for_requests_that_a_template_leaves_out() -> None:
    spec = {"containers": [{"resources": {"limits": {"cpu": "1", "memory": "1Mi"}, "requests": {"cpu": "10m"}}}]}
    assert _both(requests(spec, nano)) == (10, 2**20)
    assert amounts.requests(spec) == (10, 2**20)


def test_what_cannot_be_read_counts_as_nothing_where_that_is_asked_for() -> None:
    spec = {"containers": [container("what?"), container("1")]}
    assert requests(spec, tolerant)["cpu"] == NANO
    assert tolerant(None) == tolerant([]) == tolerant({}) == tolerant("") == 0
    with pytest.raises(ValueError):
        requests(spec, nano)


def test_quantities_remember_their_notation() -> None:
    spec = {"containers": [container(memory="1Gi"), container(memory="512M")]}
    assert str(requests(spec, parse)["memory"]) == str(parse("1Gi") + parse("512M"))


def test_the_pod_resized_as_a_whole() -> None:
    held = {"resources": {"requests": {"cpu": "3"}, "limits": {"cpu": "8"}}, "allocatedResources": {"cpu": "5"}}
    spec = {"containers": [container("1")], "resources": {"requests": {"cpu": "4"}, "limits": {"cpu": "4"}}}
    found = in_force({"spec": spec, "status": held})
    assert _both(requests(found, nano)) == (5000, 0) and _both(limits(found, nano)) == (8000, 0)


def test_nothing_is_copied_while_all_agree() -> None:
    asked = {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}
    spec = {"containers": [{"name": "c", "resources": asked}, {"name": "d", "resources": {}}]}
    statuses = [{"name": "c", "resources": asked, "allocatedResources": {"cpu": "1"}}, {"name": "d", "resources": {}}]
    assert in_force({"spec": spec, "status": {"containerStatuses": statuses}}) is spec
    assert in_force({"spec": spec}) is spec


NAMES = ("cpu", "memory", "example.com/gpu", "hugepages-2Mi")
LISTS = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5).map(str), max_size=3)
CONTAINERS = st.builds(
    lambda lists, always: {"resources": lists, **({"restartPolicy": "Always"} if always else {})},
    st.fixed_dictionaries({"requests": LISTS, "limits": LISTS}),
    st.booleans(),
)
SPECS = st.fixed_dictionaries(
    {
        "containers": st.lists(CONTAINERS.map(lambda c: {"resources": c["resources"]}), min_size=1, max_size=3),
        "initContainers": st.lists(CONTAINERS, max_size=4),
    },
    optional={"overhead": LISTS, "resources": st.fixed_dictionaries({"requests": LISTS, "limits": LISTS})},
)


def _acted_out(spec: Json, which: str, name: str) -> int:
    """Starts one container after the other, and looks at each moment what all that run then need together."""

    def own(container: Json) -> int:
        said = container["resources"]
        return int(said[which].get(name, said["limits"].get(name, 0) if which == "requests" else 0))

    running, most = 0, 0
    for step in spec["initContainers"]:
        most = max(most, running + own(step))
        if is_sidecar(step):
            running += own(step)
    most = max(most, running + sum(map(own, spec["containers"])))
    whole = (spec.get("resources") or {}).get(which, {})
    if name in whole and name != "example.com/gpu":
        most = int(whole[name])
    more = int((spec.get("overhead") or {}).get(name, 0))
    return most + more if which == "requests" or most else most


@given(SPECS)
def test_it_is_the_most_that_runs_at_any_moment(spec: Json) -> None:
    for name in NAMES:
        assert requests(spec, nano).get(name, 0) == _acted_out(spec, "requests", name) * NANO
        assert limits(spec, nano).get(name, 0) == _acted_out(spec, "limits", name) * NANO
        found = requests(spec, parse).get(name)
        assert (found.nano if found else 0) == requests(spec, nano).get(name, 0)

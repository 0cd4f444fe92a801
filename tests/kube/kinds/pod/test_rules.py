"""Rules of pods that a field at a time is held against: what is refused, where, and what is filled in or left out."""

from __future__ import annotations

from typing import Any

import pytest

from kube.kinds.pod.defaults import pull_policy
from kube.objects import Json
from tests.kube.kinds.groups.pipeline import create
from tests.kube.kinds.pod.test_pods import bad, pod

INVALID, FORBIDDEN, REQUIRED = "Invalid", "Forbidden", "Required"
NOT_SUPPORTED, NOT_FOUND, DUPLICATE = "NotSupported", "NotFound", "Duplicate"
HERE = "spec.containers[0]"


@pytest.mark.parametrize(
    ("container", "cause"),
    [
        ({"resizePolicy": [{"resourceName": "gpu", "restartPolicy": "NotRequired"}]}, ("resizePolicy", NOT_SUPPORTED)),
        ({"resizePolicy": [{"resourceName": "cpu"}]}, ("resizePolicy", REQUIRED)),
        (
            {"resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}] * 2},
            ("resizePolicy[1]", DUPLICATE),
        ),
        ({"volumeMounts": [{"mountPath": "/m"}]}, ("volumeMounts[0].name", NOT_FOUND)),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}}, ("lifecycle.preStop.sleep", INVALID)),
        ({"securityContext": {"procMount": "Unmasked"}}, ("securityContext.procMount", INVALID)),
        ({"securityContext": {"appArmorProfile": {}}}, ("securityContext.appArmorProfile.type", REQUIRED)),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined", "localhostProfile": ""}}},
            ("securityContext.seccompProfile.localhostProfile", INVALID),
        ),
        ({"envFrom": [{}]}, ("envFrom", INVALID)),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"key": "k"}}}]},
            ("env[0].valueFrom.secretKeyRef.name", INVALID),
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1Ki"}}}]},
            ("env[0].valueFrom.resourceFieldRef.divisor", INVALID),
        ),
    ],
)
def test_bad_containers(container: Json, cause: tuple[str, str]) -> None:
    assert (f"{HERE}.{cause[0]}", cause[1]) in bad(**container)


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        (
            {"securityContext": {"sysctls": [{"name": "Net.a", "value": "1"}]}},
            ("securityContext.sysctls[0].name", INVALID),
        ),
        (
            {"hostNetwork": True, "securityContext": {"sysctls": [{"name": "net.a", "value": "1"}]}},
            ("securityContext.sysctls[0].name", INVALID),
        ),
        (
            {"securityContext": {"supplementalGroupsPolicy": "a"}},
            ("securityContext.supplementalGroupsPolicy", NOT_SUPPORTED),
        ),
        (
            {"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}},
            ("securityContext.windowsOptions", FORBIDDEN),
        ),
        ({"os": {"name": "windows"}, "securityContext": {"fsGroup": 1}}, ("securityContext.fsGroup", FORBIDDEN)),
        ({"os": {"name": "windows"}, "hostPID": True}, ("hostPID", FORBIDDEN)),
        ({"os": {}}, ("os.name", REQUIRED)),
        ({"hostnameOverride": "h", "setHostnameAsFQDN": True}, ("hostnameOverride", FORBIDDEN)),
        ({"preemptionPolicy": "a"}, ("preemptionPolicy", NOT_SUPPORTED)),
        ({"runtimeClassName": ""}, ("runtimeClassName", INVALID)),
        ({"resources": {"requests": {"odd": "1"}}}, ("resources.requests[odd]", INVALID)),
        ({"volumes": [{"name": "v", "image": {}}]}, ("volumes[0].image.reference", REQUIRED)),
        ({"volumes": [{"name": "v", "csi": {"driver": "A B"}}]}, ("volumes[0].csi.driver", INVALID)),
        ({"volumes": [{"name": "v", "emptyDir": {}, "cephfs": {"monitors": ["m"]}}]}, ("volumes[0].cephFS", FORBIDDEN)),
    ],
)
def test_bad_specs(spec: Json, cause: tuple[str, str]) -> None:
    assert (f"spec.{cause[0]}", cause[1]) in bad(spec)


def test_a_volume_that_is_wrong_cannot_be_mounted() -> None:
    causes = bad({"volumes": [{"name": "v", "nfs": {}}]}, volumeMounts=[{"name": "v", "mountPath": "/m"}])
    assert (f"{HERE}.volumeMounts[0].name", NOT_FOUND) in causes


def test_a_local_seccomp_profile_may_be_empty() -> None:
    pod({"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": ""}}})


def _term(**more: Any) -> Json:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"x": "y"}}, **more}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_selectors_are_completed_by_the_labels_of_the_pod() -> None:
    made = create(
        "v1",
        "Pod",
        meta={"labels": {"a": "b", "c": "d"}},
        spec={
            "containers": [{"name": "c", "image": "i"}],
            "affinity": _term(matchLabelKeys=["a", "absent"], mismatchLabelKeys=["c"]),
        },
    )
    term = made["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
    assert term["labelSelector"]["matchExpressions"] == [
        {"key": "a", "operator": "In", "values": ["b"]},
        {"key": "c", "operator": "NotIn", "values": ["d"]},
    ]


def test_fields_of_features_that_are_off_are_left_out() -> None:
    made = pod(
        {
            "schedulingGroup": {},
            "volumes": [{"name": "v", "projected": {"sources": [{"clusterTrustBundle": {"path": ""}}]}}],
        },
        lifecycle={"stopSignal": "SIGHUP"},
    )
    assert "schedulingGroup" not in made["spec"]
    assert made["spec"]["volumes"][0]["projected"]["sources"] == [{}]
    assert made["spec"]["containers"][0]["lifecycle"] == {}


def test_requests_of_the_whole_pod_default_to_those_of_its_containers() -> None:
    made = pod({"resources": {"limits": {"cpu": "2"}}}, resources={"requests": {"cpu": "100m", "memory": "1Mi"}})
    assert made["spec"]["resources"]["requests"] == {"cpu": "100m", "memory": "1Mi"}


@pytest.mark.parametrize("image", ["A B", "-x", "x" * 300, "UPPER", "a//b", "a@sha256:1"])
def test_what_names_no_image_is_not_pulled_always(image: str) -> None:
    assert pull_policy(image) == "IfNotPresent"


@pytest.mark.parametrize("image", ["a", "Host.example:5000/a/b", "localhost/a", "a__b/c--d", "a:latest"])
def test_an_image_without_a_tag_is_pulled_always(image: str) -> None:
    assert pull_policy(image) == "Always"

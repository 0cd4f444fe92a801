"""Workloads of apps/v1."""

from __future__ import annotations

import pytest

from tests.kube.kinds.groups.pipeline import create, refused, row, update, workload

APPS = "apps/v1"
WORKLOADS = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet")


def test_deployment_defaults() -> None:
    spec = create(APPS, "Deployment", spec=workload())["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)


def test_recreate_has_no_rolling_update() -> None:
    assert create(APPS, "Deployment", spec=workload(strategy={"type": "Recreate"}))["spec"]["strategy"] == {
        "type": "Recreate"
    }


def test_statefulset_completes_its_claims() -> None:
    claim = {
        "metadata": {"name": "v"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}},
    }
    spec = create(APPS, "StatefulSet", spec=workload(volumeClaimTemplates=[claim]))["spec"]
    made = spec["volumeClaimTemplates"][0]
    assert (made["kind"], made["status"], made["spec"]["volumeMode"]) == (
        "PersistentVolumeClaim",
        {"phase": "Pending"},
        "Filesystem",
    )
    assert made["spec"]["resources"]["requests"]["storage"] == "1Gi"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_containers_of_a_statefulset_mount_its_claims() -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec = workload(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": claim}])
    container = {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    spec["template"] = {**spec["template"], "spec": {"containers": [container]}}
    made = create(APPS, "StatefulSet", spec=spec)
    assert "volumes" not in made["spec"]["template"]["spec"]
    del spec["volumeClaimTemplates"]
    assert refused(create, APPS, "StatefulSet", spec=spec) == {
        ("spec.template.spec.containers[0].volumeMounts[0].name", "NotFound")
    }


@pytest.mark.parametrize("kind", WORKLOADS)
def test_selector_must_match_the_template(kind: str) -> None:
    spec = workload(selector={"matchLabels": {"a": "z"}})
    assert refused(create, APPS, kind, spec=spec) == {("spec.template.metadata.labels", "Invalid")}


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet"])
def test_selector_is_required(kind: str) -> None:
    spec = workload()
    del spec["selector"]
    assert refused(create, APPS, kind, spec=spec) == {
        ("spec.selector", "Required"),
        ("spec.template.metadata.labels", "Invalid"),
    }


@pytest.mark.parametrize("kind", WORKLOADS)
def test_empty_selector_is_refused(kind: str) -> None:
    assert refused(create, APPS, kind, spec=workload(selector={})) == {("spec.selector", "Invalid")}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_pods_restart_always(kind: str) -> None:
    spec = workload()
    spec["template"]["spec"] = {**spec["template"]["spec"], "restartPolicy": "Never", "activeDeadlineSeconds": 3}
    assert refused(create, APPS, kind, spec=spec) == {
        ("spec.template.spec.restartPolicy", "NotSupported"),
        ("spec.template.spec.activeDeadlineSeconds", "Forbidden"),
    }


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"strategy": {"type": "Odd"}}, ("spec.strategy", "NotSupported")),
        (
            {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
            ("spec.strategy.rollingUpdate.maxUnavailable", "Invalid"),
        ),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
            ("spec.strategy.rollingUpdate.maxUnavailable", "Invalid"),
        ),
        ({"strategy": {"rollingUpdate": {"maxSurge": "x"}}}, ("spec.strategy.rollingUpdate.maxSurge", "Invalid")),
        ({"minReadySeconds": 600}, ("spec.progressDeadlineSeconds", "Invalid")),
        ({"replicas": -1}, ("spec.replicas", "Invalid")),
    ],
)
def test_deployment_rules(change: dict[str, object], cause: tuple[str, str]) -> None:
    assert refused(create, APPS, "Deployment", spec=workload(**change)) == {cause}


def test_selector_is_immutable() -> None:
    old = create(APPS, "Deployment", spec=workload())
    change = {"selector": {"matchLabels": {"a": "c"}}, "template": {"metadata": {"labels": {"a": "c"}}}}
    assert refused(update, old, {"spec": change}) == {("spec.selector", "Invalid")}


def test_generation_counts_spec_and_annotations_of_a_deployment() -> None:
    old = create(APPS, "Deployment", spec=workload(), status={"replicas": 9})
    assert (old["metadata"]["generation"], old["status"]) == (1, {})
    assert update(old, {"metadata": {"labels": {"l": "m"}}})["metadata"]["generation"] == 1
    assert update(old, {"metadata": {"annotations": {"l": "m"}}})["metadata"]["generation"] == 2
    assert update(old, {"spec": {"replicas": 2}, "status": {"replicas": 5}})["metadata"]["generation"] == 2


def test_status_of_a_deployment_leaves_spec_and_labels() -> None:
    old = create(APPS, "Deployment", spec=workload())
    change = {"spec": {"replicas": 7}, "status": {"replicas": 4}, "metadata": {"labels": {"l": "m"}}}
    new = update(old, change, "status")
    assert (new["spec"]["replicas"], new["status"], "labels" in new["metadata"]) == (1, {"replicas": 4}, False)
    assert refused(update, old, {"status": {"replicas": 1, "readyReplicas": 2}}, "status") == {
        ("status.readyReplicas", "Invalid")
    }


def test_daemonset_counts_generations_of_its_template() -> None:
    key = "deprecated.daemonset.template.generation"
    old = create(APPS, "DaemonSet", spec=workload())
    assert old["metadata"]["annotations"] == {key: "1"}
    assert update(old, {"spec": {"minReadySeconds": 2}})["metadata"]["annotations"] == {key: "1"}
    changed = update(old, {"spec": {"template": {"metadata": {"labels": {"z": "z"}}}}})
    assert changed["metadata"]["annotations"] == {key: "2"}


def test_daemonset_either_surges_or_takes_away() -> None:
    path = "spec.updateStrategy.rollingUpdate."
    for rolling, cause in (
        ({"maxSurge": 1, "maxUnavailable": 1}, (path + "maxSurge", "Invalid")),
        ({"maxUnavailable": 0}, (path + "maxUnavailable", "Required")),
    ):
        spec = workload(updateStrategy={"rollingUpdate": rolling})
        assert refused(create, APPS, "DaemonSet", spec=spec) == {cause}


def test_statefulset_changes_only_what_it_may() -> None:
    old = create(APPS, "StatefulSet", spec=workload(serviceName="s"))
    assert update(old, {"spec": {"replicas": 3}})["spec"]["replicas"] == 3
    assert refused(update, old, {"spec": {"serviceName": "t"}}) == {("spec", "Forbidden")}


def test_controller_revision_data_is_required_and_fixed() -> None:
    assert refused(create, APPS, "ControllerRevision", revision=-1) == {("revision", "Invalid"), ("data", "Required")}
    old = create(APPS, "ControllerRevision", revision=1, data={"a": 1})
    assert refused(update, old, {"data": {"a": 2}}) == {("data", "Invalid")}


def test_cells() -> None:
    deployment = create(APPS, "Deployment", spec=workload(replicas=3))
    deployment["status"] = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 1, "availableReplicas": 1}
    assert row(deployment) == {
        "Name": "x",
        "Ready": "2/3",
        "Up-to-date": 1,
        "Available": 1,
        "Age": "60m",
        "Containers": "c",
        "Images": "nginx",
        "Selector": "a=b",
    }
    owner = {"apiVersion": APPS, "kind": "StatefulSet", "name": "web", "uid": "u", "controller": True}
    revision = create(APPS, "ControllerRevision", revision=2, data={}, meta={"ownerReferences": [owner]})
    assert (row(revision)["Controller"], row(revision)["Revision"]) == ("statefulset.apps/web", 2)

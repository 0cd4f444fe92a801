"""Sources of volumes and claims, and the storage kinds beside them: what is refused, filled in and kept."""

from __future__ import annotations

from typing import Any

import pytest

from kube.objects import Json
from tests.kube.kinds.groups.pipeline import create, refused, update

V1, STORAGE = "v1", "storage.k8s.io/v1"
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
CSI = {"driver": "d.example.com", "volumeHandle": "h"}
SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}


def volume(**spec: Any) -> Json:
    return create(
        V1, "PersistentVolume", spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **spec}
    )


def claim(**spec: Any) -> Json:
    return create(V1, "PersistentVolumeClaim", spec={**CLAIM, **spec})


@pytest.mark.parametrize(
    ("name", "source", "causes"),
    [
        ("azureDisk", {"diskName": "a", "diskURI": "a"}, {("azureDisk.diskURI", "NotSupported")}),
        ("azureDisk", {"diskName": "a", "diskURI": "https://x", "kind": "Odd"}, {("azureDisk.kind", "NotSupported")}),
        (
            "azureFile",
            {"secretName": "s", "shareName": "s", "secretNamespace": ""},
            {("azureFile.secretNamespace", "Required")},
        ),
        ("gcePersistentDisk", {}, {("persistentDisk.pdName", "Required")}),
        ("awsElasticBlockStore", {"volumeID": "v", "partition": 256}, {("awsElasticBlockStore.partition", "Invalid")}),
        ("fc", {}, {("fc.targetWWNs", "Required")}),
        ("fc", {"targetWWNs": ["a"]}, {("fc.lun", "Required")}),
        ("fc", {"targetWWNs": ["a"], "lun": 256}, {("fc.lun", "Invalid")}),
        ("flexVolume", {"driver": "d", "options": {"k8s.io/x": ""}}, {("flexVolume.options[k8s.io/x]", "Invalid")}),
        ("flocker", {}, {("flocker", "Required")}),
        (
            "flocker",
            {"datasetName": "a/b", "datasetUUID": "u"},
            {("flocker", "Invalid"), ("flocker.datasetName", "Invalid")},
        ),
        (
            "glusterfs",
            {"endpoints": "e", "path": "p", "endpointsNamespace": ""},
            {("glusterfs.endpointsNamespace", "Invalid")},
        ),
        ("hostPath", {"path": "/a/../b"}, {("hostPath.path", "Invalid")}),
        ("nfs", {"server": "a", "path": "a"}, {("nfs.path", "Invalid")}),
        ("iscsi", {"targetPortal": "a", "iqn": "a", "lun": 1}, {("iscsi.iqn", "Invalid")}),
        (
            "iscsi",
            {"targetPortal": "p" * 80, "iqn": "iqn.2001-04.com.example:x", "lun": 0, "initiatorName": "x"},
            {("iscsi.targetportal", "Invalid"), ("iscsi.initiatorname", "Invalid")},
        ),
        (
            "iscsi",
            {"targetPortal": "p", "iqn": "eui.0123456789abcdef", "lun": 0, "chapAuthSession": True},
            {("iscsi.secretRef", "Required")},
        ),
        ("quobyte", {"registry": "a", "volume": "a"}, {("quobyte.registry", "Invalid")}),
        ("quobyte", {"registry": "a:1,[::1]:2", "volume": ""}, {("quobyte.volume", "Required")}),
        ("cinder", {"volumeID": "v", "secretRef": {"name": "s"}}, {("cinder.secretRef.namespace", "Required")}),
        ("storageos", {"volumeName": "a.b"}, {("storageos.volumeName", "Invalid")}),
        ("scaleIO", {"gateway": "g", "system": "s", "secretRef": None}, {("scaleIO.volumeName", "Required")}),
        ("csi", {"driver": "A B", "volumeHandle": "h"}, {("csi.driver", "Invalid")}),
        (
            "csi",
            {**CSI, "nodeExpandSecretRef": {}},
            {("csi.nodeExpandSecretRef.name", "Required"), ("csi.nodeExpandSecretRef.namespace", "Required")},
        ),
    ],
)
def test_bad_sources(name: str, source: Json, causes: set[tuple[str, str]]) -> None:
    found = refused(volume, **{name: source})
    assert found == {(f"spec.{field}", reason) for field, reason in causes}


def test_the_first_of_several_sources_is_judged() -> None:
    several: dict[str, Any] = {"csi": CSI, "rbd": {"image": "i"}, "cephfs": {"monitors": ["m"]}, "flexVolume": {}}
    assert refused(volume, **several) == {
        ("spec.rbd.monitors", "Required"),
        ("spec.cephFS", "Forbidden"),
        ("spec.csi", "Forbidden"),
        ("spec.flexVolume.driver", "Required"),
    }


def test_the_secret_for_growing_may_come_later() -> None:
    old = volume(csi=CSI)
    secret = {"name": "s", "namespace": "n"}
    assert update(old, {"spec": {"csi": {"controllerExpandSecretRef": secret}}})["spec"]["csi"][
        "controllerExpandSecretRef"
    ]
    changed = refused(update, old, {"spec": {"csi": {"nodeExpandSecretRef": secret}}})
    assert changed == {("spec.persistentvolumesource", "Forbidden")}


def test_an_affinity_may_only_be_renamed() -> None:
    def affinity(key: str) -> Json:
        expression = {"key": key, "operator": "In", "values": ["a"]}
        return {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}

    old = volume(csi=CSI, nodeAffinity=affinity("failure-domain.beta.kubernetes.io/zone"))
    assert update(old, {"spec": {"nodeAffinity": affinity("topology.kubernetes.io/zone")}})
    assert refused(update, old, {"spec": {"nodeAffinity": affinity("zone")}}) == {("nodeAffinity", "Invalid")}


def test_attributes_class_needs_csi_and_stays() -> None:
    name = "volumeAttributesClassName"
    assert refused(volume, nfs={"server": "s", "path": "/"}, **{name: ""}) == {
        ("spec.csi", "Required"),
        (f"spec.{name}", "Required"),
    }
    assert refused(update, volume(csi=CSI, **{name: "c"}), {"spec": {name: None}}) == {(f"spec.{name}", "Forbidden")}


def test_data_sources_say_the_same() -> None:
    made = claim(dataSource=SNAPSHOT)["spec"]
    assert made["dataSourceRef"] == SNAPSHOT
    assert (
        claim(dataSourceRef={**SNAPSHOT, "apiGroup": "example.com"})["spec"]["dataSource"]["apiGroup"] == "example.com"
    )
    assert "dataSource" not in claim(dataSource={"kind": "Odd", "name": "x"})["spec"]
    assert "dataSource" not in claim(dataSourceRef={**SNAPSHOT, "namespace": "other"})["spec"]
    assert refused(claim, dataSource=SNAPSHOT, dataSourceRef={**SNAPSHOT, "name": "other"}) == {("spec", "Invalid")}
    assert refused(claim, dataSourceRef={"kind": "Odd"}) == {
        ("spec.dataSource", "Invalid"),
        ("spec.dataSource.name", "Required"),
        ("spec.dataSourceRef", "Invalid"),
        ("spec.dataSourceRef.name", "Required"),
    }


def test_a_claim_takes_the_class_of_its_annotation() -> None:
    note = "volume.beta.kubernetes.io/storage-class"
    old = create(V1, "PersistentVolumeClaim", meta={"annotations": {note: "a"}}, spec=CLAIM)
    assert update(old, {"spec": {"storageClassName": "a"}, "metadata": {"annotations": None}})
    assert refused(update, old, {"spec": {"storageClassName": "b"}}) == {("spec", "Forbidden")}
    assert refused(update, old, {"metadata": {"annotations": {note: "b"}}}) == {
        (f"metadata.annotations.{note}", "Invalid")
    }


@pytest.mark.parametrize(
    ("terms", "causes"),
    [
        ([{}], {("allowedTopologies[0].matchLabelExpressions", "Duplicate")}),
        ([[("zone", ["a"])], [("zone", ["a"])]], {("allowedTopologies[1].matchLabelExpressions", "Duplicate")}),
        (
            [[("zone", ["a", "a"]), ("zone", [])]],
            {
                ("allowedTopologies[0].matchLabelExpressions[0].values[1]", "Duplicate"),
                ("allowedTopologies[0].matchLabelExpressions[1].values", "Required"),
                ("allowedTopologies[0].matchLabelExpressions[1].key", "Duplicate"),
            },
        ),
        ([[("A B", ["a"])]], {("allowedTopologies[0].matchLabelExpressions[0].key", "Invalid")}),
    ],
)
def test_topologies_of_a_class(terms: list[list[tuple[str, list[str]]]], causes: set[tuple[str, str]]) -> None:
    topologies = [{"matchLabelExpressions": [{"key": k, "values": v} for k, v in term]} for term in terms]
    assert refused(create, STORAGE, "StorageClass", provisioner="p", allowedTopologies=topologies) == causes


def test_an_empty_choice_is_not_the_default() -> None:
    assert refused(create, STORAGE, "StorageClass", provisioner="p", volumeBindingMode="") == {
        ("volumeBindingMode", "NotSupported")
    }


def test_inline_volumes_are_attached_by_csi() -> None:
    spec = {
        "attacher": "d",
        "nodeName": "n",
        "source": {"inlineVolumeSpec": {"hostPath": {"path": "/"}, "capacity": {}}},
    }
    inline = "spec.source.inlineVolumeSpec"
    assert refused(create, STORAGE, "VolumeAttachment", spec=spec) == {
        (f"{inline}.csi", "Required"),
        (f"{inline}.accessModes", "Required"),
    }


def test_a_driver_of_a_node_keeps_its_identity() -> None:
    driver = {"name": "d", "nodeID": "n", "topologyKeys": ["zone"]}
    old = create(STORAGE, "CSINode", spec={"drivers": [driver]})
    assert update(old, {"spec": {"drivers": [{**driver, "allocatable": {"count": 3}}]}})
    assert refused(update, old, {"spec": {"drivers": [{**driver, "nodeID": "other"}]}}) == {("spec.drivers", "Invalid")}
    twice = refused(update, old, {"spec": {"drivers": [{**driver, "name": "e", "topologyKeys": ["zone", "zone", ""]}]}})
    assert twice == {("spec.drivers[0]", "Duplicate"), ("spec.drivers[0]", "Required"), ("spec.drivers[0]", "Invalid")}

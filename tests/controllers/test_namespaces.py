"""Namespaces: what each gets, and how one goes; quotas and budgets within."""

from __future__ import annotations

import base64

import pytest

from cluster.tokens import Signer
from config import pki
from controllers import resourcequota
from controllers.clusterroleaggregation import ClusterRoleAggregationController
from controllers.disruption import DisruptionController
from controllers.namespace import NamespaceController
from controllers.resourcequota import ResourceQuotaController
from controllers.rootca import RootCAController
from controllers.serviceaccount import ServiceAccountController
from controllers.serviceaccounttoken import ServiceAccountTokenController
from controllers.volumes.binder import PersistentVolumeController
from controllers.volumes.protection import (
    CLASSES,
    AttributesClassProtectionController,
    ClaimProtectionController,
    VolumeProtectionController,
)
from kube.errors import Conflict
from tests.controllers.drive import Drive


@pytest.fixture
def make(cache, monkeypatch):
    return lambda *controllers: Drive(cache, monkeypatch, *controllers)


def test_a_namespace_gets_its_account_and_the_authority(make, var):
    (var / "pki" / "ca.crt").write_text("CERT")
    drive = make(ServiceAccountController(), RootCAController())
    drive.session.create("namespaces", "", {"metadata": {"name": "blue"}})
    drive.run()
    assert drive.names("serviceaccounts", "blue") == ["default"]
    assert drive.get("configmaps", "kube-root-ca.crt", "blue")["data"] == {"ca.crt": "CERT"}
    drive.session.delete("configmaps", "blue", "kube-root-ca.crt")
    drive.session.delete("serviceaccounts", "blue", "default")
    drive.run()
    assert drive.names("serviceaccounts", "blue") == ["default"]
    assert drive.names("configmaps", "blue") == ["kube-root-ca.crt"]


def test_a_namespace_goes_when_its_content_is_gone(make):
    drive = make(NamespaceController())
    drive.namespace("blue")
    drive.create("configmaps", "plain", None, "blue")
    drive.create("configmaps", "held", None, "blue", finalizers=["example.com/hold"])
    drive.session.delete("namespaces", "", "blue")
    drive.run()
    status = drive.get("namespaces", "blue", "")["status"]
    found = {c["type"]: (c["status"], c["message"]) for c in status["conditions"]}
    assert status["phase"] == "Terminating"
    assert found["NamespaceContentRemaining"] == (
        "True",
        "Some resources are remaining: configmaps. has 1 resource instances",
    )
    assert found["NamespaceFinalizersRemaining"] == (
        "True",
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
    )
    assert drive.names("configmaps", "blue") == ["held"]
    drive.session.mutate("configmaps", "blue", "held", lambda o: o["metadata"].pop("finalizers") and None)
    drive.again("blue")
    assert drive.get("namespaces", "blue", "") is None


def test_a_quota_says_what_is_used(make):
    drive = make(ResourceQuotaController())
    drive.namespace()
    drive.create("resourcequotas", "q", {"spec": {"hard": {"pods": "9", "requests.cpu": "1", "configmaps": "5"}}})
    drive.run()
    container = {"name": "a", "image": "a:1", "resources": {"requests": {"cpu": "250m"}}}
    for name in ("a", "b"):
        drive.pod(name, spec={"containers": [container]})
    drive.create("configmaps", "c")
    drive.run()
    assert drive.get("resourcequotas", "q")["status"]["used"] == {
        "pods": "2",
        "requests.cpu": "500m",
        "configmaps": "1",
    }
    drive.session.delete("pods", "default", "a", {"gracePeriodSeconds": 0})
    drive.run()
    assert drive.get("resourcequotas", "q")["status"]["used"]["requests.cpu"] == "250m"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (1, 3, 2, 3)),
        ({"minAvailable": "50%"}, (1, 3, 2, 3)),
        ({"maxUnavailable": 1}, (1, 3, 2, 3)),
        ({"minAvailable": 4}, (0, 3, 4, 3)),
    ],
)
def test_a_budget_counts_healthy_pods(make, spec, expected):
    drive = make(DisruptionController())
    drive.namespace()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    owner = drive.create(
        "replicasets.apps",
        "web",
        {"spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template}},
    )
    reference = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    for number in range(3):
        drive.pod(f"web-{number}", node="n", ip="10.0.0.1", labels={"a": "b"}, ownerReferences=[reference])
    drive.create("poddisruptionbudgets.policy", "p", {"spec": {"selector": {"matchLabels": {"a": "b"}}, **spec}})
    drive.run()
    status = drive.get("poddisruptionbudgets.policy", "p")["status"]
    assert (
        tuple(status[name] for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"))
        == expected
    )


def test_an_eviction_while_a_budget_is_counted_is_not_forgotten(make):
    controller = DisruptionController()
    drive = make(controller)
    drive.namespace()
    for number in range(4):
        drive.pod(f"web-{number}", node="n", ip="10.0.0.1", labels={"a": "b"})
    budget = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "minAvailable": 1}}
    drive.create("poddisruptionbudgets.policy", "p", budget)
    drive.run()
    drive.session.mutate(
        "pods", "default", "web-3", lambda pod: pod["status"]["conditions"][0].update(status="False"), "status"
    )

    def evict_meanwhile():
        drive.ctx.now = drive.now
        drive.session.evict("default", "web-0")
        return drive.now()

    drive.ctx.now = evict_meanwhile
    with pytest.raises(Conflict):
        controller.reconcile("default/p", drive.ctx)
    status = drive.get("poddisruptionbudgets.policy", "p")["status"]
    assert status["disruptionsAllowed"] == 2 and list(status["disruptedPods"]) == ["web-0"]
    drive.run()
    assert drive.get("poddisruptionbudgets.policy", "p")["status"]["disruptionsAllowed"] == 1


def test_what_is_charged_while_a_quota_is_counted_is_not_forgotten(make, monkeypatch):
    controller = ResourceQuotaController()
    drive = make(controller)
    drive.namespace()
    drive.create("resourcequotas", "q", {"spec": {"hard": {"pods": "9"}}})
    drive.run()
    drive.pod("a")
    drive.session.delete("pods", "default", "a", {"gracePeriodSeconds": 0})
    count = resourcequota.used

    def count_and_charge(*about):
        counted = count(*about)
        monkeypatch.setattr(resourcequota, "used", count)
        drive.pod("b")
        return counted

    monkeypatch.setattr(resourcequota, "used", count_and_charge)
    with pytest.raises(Conflict):
        controller.reconcile("default/q", drive.ctx)
    assert drive.get("resourcequotas", "q")["status"]["used"] == {"pods": "2"}
    drive.run()
    assert drive.get("resourcequotas", "q")["status"]["used"] == {"pods": "1"}


def volume(**spec):
    return {
        "spec": {
            "capacity": {"storage": "2Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "slow",
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": "/data"},
            **spec,
        }
    }


CLAIM = {
    "spec": {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "slow",
        "resources": {"requests": {"storage": "1Gi"}},
    }
}


def test_pods_of_a_namespace_go_before_all_else(make):
    drive = make(NamespaceController())
    drive.namespace("blue")
    drive.create("secrets", "used", None, "blue")
    drive.pod("user", "blue", finalizers=["example.com/hold"])
    drive.session.delete("namespaces", "", "blue")
    drive.run()
    assert drive.names("secrets", "blue") == ["used"]
    assert drive.get("pods", "user", "blue")["metadata"]["deletionTimestamp"]
    drive.session.mutate("pods", "blue", "user", lambda pod: pod["metadata"].pop("finalizers") and None)
    drive.again("blue")
    assert drive.names("secrets", "blue") == [] and drive.names("namespaces", None) == []


def test_a_class_of_attributes_stays_while_claims_or_volumes_name_it(make):
    drive = make(AttributesClassProtectionController())
    drive.namespace()
    for name in ("free", "gold", "silver"):
        drive.create(CLASSES, name, {"driverName": "csi.example.com", "parameters": {"iops": "1"}}, "")
    drive.create("persistentvolumeclaims", "c", {"spec": {**CLAIM["spec"], "volumeAttributesClassName": "gold"}})
    csi = {"hostPath": None, "csi": {"driver": "csi.example.com", "volumeHandle": "h"}}
    drive.create("persistentvolumes", "v", volume(**csi, volumeAttributesClassName="silver"), "")
    for name in ("free", "gold", "silver"):
        drive.session.delete(CLASSES, "", name)
    drive.run()
    assert drive.names(CLASSES, None) == ["gold", "silver"]
    drive.session.delete("persistentvolumes", "", "v")
    drive.session.mutate("persistentvolumes", "", "v", lambda v: v["metadata"].pop("finalizers") and None)
    drive.session.delete("persistentvolumeclaims", "default", "c")
    drive.session.mutate("persistentvolumeclaims", "default", "c", lambda c: c["metadata"].pop("finalizers") and None)
    drive.run()
    assert drive.names(CLASSES, None) == []


def test_a_claim_takes_the_smallest_volume_that_will_do_and_leaves_it_released(make):
    drive = make(PersistentVolumeController(), ClaimProtectionController(), VolumeProtectionController())
    drive.namespace()
    drive.create("persistentvolumes", "large", volume(capacity={"storage": "5Gi"}), "")
    drive.create("persistentvolumes", "right", volume(), "")
    drive.create("persistentvolumes", "small", volume(capacity={"storage": "100Mi"}), "")
    drive.run()
    drive.create("persistentvolumeclaims", "c", dict(CLAIM))
    drive.pod(
        "user",
        node="n",
        spec={
            "containers": [{"name": "a", "image": "a:1"}],
            "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "c"}}],
        },
    )
    drive.run()
    claim = drive.get("persistentvolumeclaims", "c")
    assert claim["spec"]["volumeName"] == "right" and claim["status"]["phase"] == "Bound"
    assert claim["status"]["capacity"] == {"storage": "2Gi"}
    phases = {name: drive.get("persistentvolumes", name, "")["status"]["phase"] for name in ("large", "right", "small")}
    assert phases == {"large": "Available", "right": "Bound", "small": "Available"}
    drive.session.delete("persistentvolumeclaims", "default", "c")
    drive.run()
    assert drive.names("persistentvolumeclaims") == ["c"]  # in use
    drive.session.delete("pods", "default", "user", {"gracePeriodSeconds": 0})
    drive.run()
    assert drive.names("persistentvolumeclaims") == []
    assert drive.get("persistentvolumes", "right", "")["status"]["phase"] == "Released"
    drive.session.mutate("persistentvolumes", "", "right", lambda o: o["spec"].pop("claimRef") and None)
    drive.run()
    assert drive.get("persistentvolumes", "right", "")["status"]["phase"] == "Available"


def test_a_claim_that_nothing_fits_waits_and_says_why(make):
    drive = make(PersistentVolumeController())
    drive.namespace()
    drive.create("persistentvolumeclaims", "c", {"spec": {**CLAIM["spec"], "storageClassName": ""}})
    drive.run()
    assert drive.get("persistentvolumeclaims", "c")["status"]["phase"] == "Pending"
    assert drive.events[-1][1] == "FailedBinding"


def test_an_aggregate_holds_the_rules_of_its_parts(make):
    drive = make(ClusterRoleAggregationController())
    storage = "clusterroles.rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    drive.create(storage, "all", {"aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"part": "yes"}}]}}, "")
    drive.create(storage, "one", {"rules": [rule]}, "", labels={"part": "yes"})
    drive.create(storage, "two", {"rules": [rule, {**rule, "verbs": ["list"]}]}, "", labels={"part": "yes"})
    drive.run()
    assert [r["verbs"] for r in drive.get(storage, "all", "")["rules"]] == [["get"], ["list"]]


TOKEN = {"type": "kubernetes.io/service-account-token"}


def test_a_secret_for_a_token_is_filled_and_goes_with_its_account(make, var):
    pki.make_all(var / "pki", node="here", addresses=["127.0.0.1"])
    drive = make(ServiceAccountTokenController())
    drive.namespace()
    uid = drive.create("serviceaccounts", "robot")["metadata"]["uid"]
    about = {"annotations": {"kubernetes.io/service-account.name": "robot"}}
    drive.create("secrets", "key", TOKEN, **about)
    drive.create("secrets", "other", {"type": "Opaque"}, **about)
    drive.run()
    secret = drive.get("secrets", "key")
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    assert data["namespace"] == "default" and data["ca.crt"] == (var / "pki" / "ca.crt").read_text()
    assert secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"] == uid
    claims = Signer(var / "pki" / "sa.key").verify(data["token"])
    assert claims["sub"] == "system:serviceaccount:default:robot" and claims["iss"] == "kubernetes/serviceaccount"
    drive.session.delete("serviceaccounts", "default", "robot")
    drive.run()
    assert drive.names("secrets") == ["other"] and not drive.get("secrets", "other").get("data")


def test_a_secret_for_a_token_of_another_account_of_the_name_goes(make, var):
    pki.make_all(var / "pki", node="here", addresses=["127.0.0.1"])
    drive = make(ServiceAccountTokenController())
    drive.namespace()
    drive.create("serviceaccounts", "robot")
    drive.create(
        "secrets",
        "old",
        TOKEN,
        annotations={"kubernetes.io/service-account.name": "robot", "kubernetes.io/service-account.uid": "of-another"},
    )
    drive.create("secrets", "early", TOKEN, annotations={"kubernetes.io/service-account.name": "nobody"})
    drive.run()
    assert drive.names("secrets") == []

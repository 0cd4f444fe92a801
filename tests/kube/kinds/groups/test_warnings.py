"""What clients are warned of although it is accepted; services and pods have tests of their own."""

from __future__ import annotations

import re

import pytest

from kube.objects import Json
from kube.registry import Context
from tests.kube.kinds.groups.pipeline import create, kind_of

CLASS, SECRETS = "volume.beta.kubernetes.io/storage-class", "kubernetes.io/enforce-mountable-secrets"
ZONE = {"key": "failure-domain.beta.kubernetes.io/zone", "operator": "In", "values": ["a"]}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}


def warned(obj: Json, old: Json | None = None) -> list[str]:
    return kind_of(obj).strategy.warnings(obj, old, Context())


@pytest.mark.parametrize(
    ("kind", "body", "places"),
    [
        (
            "v1/PersistentVolume",
            {
                "meta": {"annotations": {CLASS: "c"}},
                "spec": {
                    **VOLUME,
                    "rbd": {"monitors": ["m"], "image": "i"},
                    "persistentVolumeReclaimPolicy": "Recycle",
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [ZONE]}]}},
                },
            },
            [
                f"metadata.annotations[{CLASS}]",
                "spec.persistentVolumeReclaimPolicy",
                "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key",
                "spec.rbd",
            ],
        ),
        (
            "v1/PersistentVolumeClaim",
            {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1.5"}}}},
            ["spec.resources.requests[storage]"],
        ),
        (
            "storage.k8s.io/v1/StorageClass",
            {
                "provisioner": "p",
                "allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE["key"], "values": ["a"]}]}],
            },
            ["allowedTopologies[0].matchLabelExpressions[0].key"],
        ),
        (
            "storage.k8s.io/v1/CSIDriver",
            {"spec": {"tokenRequests": [{"audience": "a"}]}},
            ["spec.serviceAccountTokenInSecrets is unset"],
        ),
        (
            "discovery.k8s.io/v1/EndpointSlice",
            {"addressType": "FQDN", "endpoints": [{"addresses": ["a.b"]}]},
            ["spec.addressType"],
        ),
        (
            "networking.k8s.io/v1/NetworkPolicy",
            {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "2001:DB8::/32"}}]}]}},
            ["spec.egress[0].to[0].ipBlock.cidr"],
        ),
        (
            "networking.k8s.io/v1/Ingress",
            {
                "meta": {"annotations": {"kubernetes.io/ingress.class": "c"}},
                "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}},
            },
            ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"],
        ),
        ("v1/ServiceAccount", {"meta": {"annotations": {SECRETS: "true"}}}, [f"metadata.annotations[{SECRETS}]"]),
    ],
)
def test_warnings_of_a_new_object(kind: str, body: Json, places: list[str]) -> None:
    version, _, name = kind.rpartition("/")
    made = create(version, name, **body)
    assert [re.split(": |; ", text)[0] for text in warned(made)] == places


def test_nobody_is_warned_again_of_what_was_there() -> None:
    account = create("v1", "ServiceAccount", meta={"annotations": {SECRETS: "true"}})
    driver = create("storage.k8s.io/v1", "CSIDriver", spec={"tokenRequests": [{"audience": "a"}]})
    assert warned(account, account) == warned(driver, driver) == []

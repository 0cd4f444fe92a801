"""Kinds of storage, scheduling, coordination, certificates, admission, flow control, devices, events and reviews."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kube.cel.expressions import check_expression
from kube.kinds.events import from_core, to_core
from tests.kube.kinds.groups.pipeline import KINDS, create, refused, row, update

STORAGE, ADMISSION, FLOW = "storage.k8s.io/v1", "admissionregistration.k8s.io/v1", "flowcontrol.apiserver.k8s.io/v1"
MATCH = {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}


def test_storage_class_is_fixed_but_for_expansion() -> None:
    old = create(STORAGE, "StorageClass", provisioner="a")
    assert (old["reclaimPolicy"], old["volumeBindingMode"]) == ("Delete", "Immediate")
    assert refused(update, old, {"provisioner": "z"}) == {("provisioner", "Invalid")}
    assert update(old, {"allowVolumeExpansion": True})["allowVolumeExpansion"] is True
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert (
        row(create(STORAGE, "StorageClass", provisioner="a", meta={"annotations": annotations}))["Name"]
        == "x (default)"
    )


def test_csi_driver_gets_its_first_generation_by_a_change() -> None:
    old = create(STORAGE, "CSIDriver", spec={})
    assert "generation" not in old["metadata"] and old["spec"]["volumeLifecycleModes"] == ["Persistent"]
    assert update(old, {"spec": {"podInfoOnMount": True}})["metadata"]["generation"] == 1


def test_priority_classes() -> None:
    old = create("scheduling.k8s.io/v1", "PriorityClass", value=1)
    assert refused(update, old, {"value": 2}) == {("value", "Forbidden")}
    assert refused(create, "scheduling.k8s.io/v1", "PriorityClass", value=2 * 10**9) == {("value", "Forbidden")}
    assert refused(create, "scheduling.k8s.io/v1", "PriorityClass", "system-x", value=1) == {
        ("metadata.name", "Forbidden")
    }
    assert create("scheduling.k8s.io/v1", "PriorityClass", "system-node-critical", value=2000001000)


def test_leases_want_a_revision_and_may_be_created_by_put() -> None:
    strategy = KINDS.by_storage("leases.coordination.k8s.io").strategy
    assert strategy.create_on_update and not strategy.unconditional_update
    assert refused(create, "coordination.k8s.io/v1", "Lease", spec={"leaseDurationSeconds": 0}) == {
        ("spec.leaseDurationSeconds", "Invalid")
    }


def test_runtime_class() -> None:
    assert refused(create, "node.k8s.io/v1", "RuntimeClass") == {("handler", "Required")}
    old = create("node.k8s.io/v1", "RuntimeClass", handler="h", overhead={"podFixed": {"cpu": "0.5"}})
    assert old["overhead"]["podFixed"] == {"cpu": "500m"}
    assert refused(update, old, {"handler": "i"}) == {("handler", "Invalid")}


def request() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "u")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def signing(**spec: Any) -> dict[str, Any]:
    return create(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        spec={"request": request(), "signerName": "example.com/s", "usages": ["client auth"], **spec},
    )


def test_the_server_writes_down_who_asks() -> None:
    made = signing(username="liar", groups=["system:masters"])
    assert (made["spec"]["username"], made["spec"]["uid"], made["spec"]["groups"]) == (
        "alice",
        "alice-uid",
        ["system:authenticated"],
    )
    assert update(made, {"spec": {"usages": ["server auth"]}})["spec"]["usages"] == ["client auth"]


def test_an_approval_stays() -> None:
    approved = update(signing(), {"status": {"conditions": [{"type": "Approved", "status": "True"}]}}, "approval")
    assert approved["status"]["conditions"][0]["lastTransitionTime"]
    assert row(approved)["Condition"] == "Approved"
    assert refused(update, approved, {"status": {"conditions": []}}, "approval") == {("status.conditions", "Forbidden")}
    kept = update(approved, {"status": {"conditions": []}}, "status")
    assert kept["status"]["conditions"][0]["type"] == "Approved"
    assert refused(update, approved, {"status": {"certificate": "eA=="}}, "status") == {
        ("status.certificate", "Invalid")
    }


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"signerName": "x"}, ("spec.signerName", "Invalid")),
        ({"usages": ["odd"]}, ("spec.usages[0]", "NotSupported")),
        ({"request": "eA=="}, ("spec.request", "Invalid")),
        ({"expirationSeconds": 5}, ("spec.expirationSeconds", "Invalid")),
    ],
)
def test_signing_request_rules(spec: dict[str, Any], cause: tuple[str, str]) -> None:
    assert refused(signing, **spec) == {cause}


def test_webhook_defaults_and_rules() -> None:
    hook = {
        "name": "a.b.example.com",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": "s", "namespace": "n"}},
    }
    made = create(ADMISSION, "MutatingWebhookConfiguration", webhooks=[hook])["webhooks"][0]
    assert (made["failurePolicy"], made["timeoutSeconds"], made["reinvocationPolicy"]) == ("Fail", 10, "Never")
    assert made["clientConfig"]["service"]["port"] == 443
    assert refused(create, ADMISSION, "ValidatingWebhookConfiguration", webhooks=[{}]) == {
        (f"webhooks[0].{n}", "Required") for n in ("name", "sideEffects", "clientConfig", "admissionReviewVersions")
    }
    http = {**hook, "clientConfig": {"url": "http://a"}}
    assert refused(create, ADMISSION, "ValidatingWebhookConfiguration", webhooks=[http]) == {
        ("webhooks[0].clientConfig.url", "Invalid")
    }


def test_policy_expressions_are_checked_when_they_are_stored() -> None:
    def policy(*expressions: str, **spec: Any) -> dict[str, Any]:
        return create(
            ADMISSION,
            "ValidatingAdmissionPolicy",
            spec={"matchConstraints": MATCH, "validations": [{"expression": e} for e in expressions], **spec},
        )

    assert policy("object.spec.containers.all(c, c.image != 'x')")["spec"]["matchConstraints"]["matchPolicy"]
    at = "spec.validations[0].expression"
    assert refused(policy, "object.", "1", "params.x") == {
        (f"spec.validations[{i}].expression", "Invalid") for i in range(3)
    }
    for text, found in (("1 +", {"spec.variables[0].expression"}), ("", {"spec.variables[0].expression", at})):
        named = [{"name": "v", "expression": text}]
        assert {field for field, _ in refused(policy, "variables.v == 1", variables=named)} == found
    assert policy("params.x == 1", paramKind={"apiVersion": "v1", "kind": "ConfigMap"})
    assert refused(policy, "variables.z", variables=[{"name": "a", "expression": "1"}]) == {
        ("spec.validations[0].expression", "Invalid")
    }
    assert refused(policy) == {("spec.validations", "Required"), ("spec.auditAnnotations", "Required")}


def test_an_empty_expression_is_missing() -> None:
    assert [e.reason for e in check_expression("p", " ", ())] == ["FieldValueRequired"]


def test_flow_control() -> None:
    level = {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}
    limited = create(FLOW, "PriorityLevelConfiguration", spec=level)["spec"]["limited"]
    assert limited["nominalConcurrencyShares"] == 30
    assert limited["limitResponse"]["queuing"] == {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
    assert refused(create, FLOW, "FlowSchema", spec={}) == {("spec.priorityLevelConfiguration.name", "Required")}


def test_api_service_is_named_after_its_version_and_group() -> None:
    spec = {"group": "g.example.com", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1}
    made = create("apiregistration.k8s.io/v1", "APIService", "v1.g.example.com", spec=spec)
    assert (row(made)["Service"], row(made)["Available"]) == ("Local", "True")
    assert refused(create, "apiregistration.k8s.io/v1", "APIService", "x", spec=spec) == {("metadata.name", "Invalid")}


def test_resource_claim() -> None:
    def claim(request: dict[str, Any]) -> dict[str, Any]:
        return create("resource.k8s.io/v1", "ResourceClaim", spec={"devices": {"requests": [request]}})

    made = claim({"name": "r", "exactly": {"deviceClassName": "c"}})
    assert made["spec"]["devices"]["requests"][0]["exactly"]["count"] == 1
    assert row(made)["State"] == "pending"
    assert refused(claim, {"name": "r"}) == {("spec.devices.requests[0]", "Required")}
    bad = {"name": "r", "exactly": {"deviceClassName": "c", "selectors": [{"cel": {"expression": "1 +"}}]}}
    assert refused(claim, bad) == {("spec.devices.requests[0].exactly.selectors[0].cel.expression", "Invalid")}


def test_events_of_both_groups_are_the_same() -> None:
    core = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "x"},
        "involvedObject": {"name": "p"},
        "message": "m",
        "source": {"component": "c"},
        "count": 2,
        "reportingComponent": "r",
    }
    newer = from_core(core)
    assert (newer["regarding"], newer["note"], newer["deprecatedCount"]) == ({"name": "p"}, "m", 2)
    assert to_core(newer) == core
    assert KINDS.lookup("events.k8s.io", "v1", "events").storage == "events"


def test_reviews_can_only_be_created() -> None:
    for group, plural in (("authentication.k8s.io", "tokenreviews"), ("authorization.k8s.io", "subjectaccessreviews")):
        assert KINDS.lookup(group, "v1", plural).verbs == ("create",)


@pytest.mark.parametrize("kind", list(KINDS.all()), ids=lambda k: f"{k.api_version}/{k.kind}")
def test_every_kind_has_a_definition_and_as_many_cells_as_columns(kind: Any) -> None:
    from kube import schema
    from kube.schema import definitions

    assert definitions.get(kind.definition)
    obj = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}}
    schema.normalise(kind.definition, obj)
    assert len(kind.cells(obj, 0.0)) == len(kind.columns)

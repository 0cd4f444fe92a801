"""Signing requests: what is signed and refused, and when they go."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography import x509

from config import pki
from controllers.certificatesigning import DECIDED, PENDING, STORAGE, CertificateSigningController
from tests.controllers.drive import Drive
from tests.csr import request

CLIENT = ["client auth", "digital signature"]
SERVING = ["server auth", "digital signature", "key encipherment"]


@pytest.fixture
def drive(cache, monkeypatch, var):
    pki.Authority(var / "pki")
    return Drive(cache, monkeypatch, CertificateSigningController())


def ask(
    drive: Drive, signer: str, sent: str, usages: list[str], decision: str = "Approved", **spec: Any
) -> dict[str, Any]:
    """The status of a request for a certificate after it was decided."""
    drive.create(
        STORAGE, "r", {"spec": {"signerName": f"kubernetes.io/{signer}", "request": sent, "usages": usages, **spec}}, ""
    )
    drive.run()
    assert not drive.get(STORAGE, "r", "")["status"], "nothing is signed before somebody decides"
    conditions = [{"type": decision, "status": "True", "reason": "Test"}]
    drive.session.mutate(STORAGE, "", "r", lambda obj: obj["status"].update(conditions=conditions), "approval")
    drive.run()
    status: dict[str, Any] = drive.get(STORAGE, "r", "")["status"]
    return status


@pytest.mark.parametrize("usages", [CLIENT, ["client auth"]])
def test_an_approved_request_is_signed_by_the_authority(drive, var, usages):
    status = ask(drive, "kube-apiserver-client", request("jane", "crew"), usages, expirationSeconds=7200)
    read = x509.load_pem_x509_certificate(base64.b64decode(status["certificate"]))
    read.verify_directly_issued_by(x509.load_pem_x509_certificate((var / "pki" / "ca.crt").read_bytes()))
    kinds = {type(extension.value) for extension in read.extensions}
    assert x509.ExtendedKeyUsage in kinds and (x509.KeyUsage in kinds) == ("digital signature" in usages)
    assert read.subject.rfc4514_string() == "CN=jane,O=crew"
    assert 7000 < (read.not_valid_after_utc - read.not_valid_before_utc).total_seconds() < 7800


@pytest.mark.parametrize(
    ("signer", "sent", "usages", "words"),
    [
        ("kubelet-serving", ("system:node:n1", "system:nodes", ("n1",)), SERVING, ""),
        ("kube-apiserver-client-kubelet", ("system:node:n1", "system:nodes"), CLIENT, ""),
        ("kubelet-serving", ("system:node:n1", "system:nodes"), SERVING, "subject alternative names"),
        ("kubelet-serving", ("system:node:n1", "crew", ("n1",)), SERVING, "must be of a node"),
        ("kube-apiserver-client-kubelet", ("system:node:n1", "system:nodes", ("n1",)), CLIENT, "not allowed"),
        ("kube-apiserver-client", ("jane", "crew"), SERVING, "client auth must be asked for"),
        ("kube-apiserver-client", ("jane", "crew"), [*CLIENT, "server auth"], "server auth is not signed"),
    ],
)
def test_each_signer_has_its_rules(drive, signer, sent, usages, words):
    status = ask(drive, signer, request(*sent), usages)
    assert ("certificate" in status) == (not words)
    assert [c["type"] for c in status["conditions"]] == (["Approved", "Failed"] if words else ["Approved"])
    assert words in status["conditions"][-1].get("message", "")


@pytest.mark.parametrize(
    ("signer", "decision"), [("kube-apiserver-client", "Denied"), ("of-somebody-else", "Approved")]
)
def test_what_is_not_ours_to_sign_is_left_alone(drive, signer, decision):
    assert "certificate" not in ask(drive, signer, request("jane", "crew"), CLIENT, decision)


def test_requests_go_after_a_while(drive):
    ask(drive, "kube-apiserver-client", request("jane", "crew"), CLIENT)
    assert 0 < drive.after["r"] <= DECIDED
    drive.create(
        STORAGE,
        "forgotten",
        {
            "spec": {
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": CLIENT,
                "request": request("joe", "crew"),
            }
        },
        "",
    )
    drive.run()
    drive.offset = DECIDED + 60
    drive.again("r")
    assert drive.names(STORAGE, "") == ["forgotten"]
    drive.offset = PENDING + 60
    drive.again("forgotten")
    assert drive.names(STORAGE, "") == []

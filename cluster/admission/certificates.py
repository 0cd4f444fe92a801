"""CertificateApproval, CertificateSigning, CertificateSubjectRestriction: who may make the cluster's CA sign what.

The right to update `certificatesigningrequests/approval` is not enough to approve: the virtual resource `signers` says for
which signers. A certificate for system:masters is signed for nobody.
"""

from __future__ import annotations

import base64
import binascii

from cluster.admission.plugin import UPDATE, Plugin
from cluster.admission.request import Request
from cluster.authz import Authorizer
from kube.users import MASTERS

STORAGES = frozenset({"certificatesigningrequests.certificates.k8s.io"})
CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client"


def _check_signer(request: Request, verb: str) -> None:
    """Whether the user may `verb` for the request's signer, named in full or as DOMAIN/*; by the name that is stored."""
    signer = str(((request.old or request.obj).get("spec") or {}).get("signerName", ""))
    allows = Authorizer.of(request.cache).allows
    if not any(
        allows(request.user, verb, "certificates.k8s.io", "signers", name=name)
        for name in (signer, f"{signer.partition('/')[0]}/*")
    ):
        raise request.forbid(f'user not permitted to {verb} requests with signerName "{signer}"')


class CertificateApproval(Plugin):
    operations = frozenset({UPDATE})
    storages = STORAGES
    subresources = frozenset({"approval"})

    def validate(self, request: Request) -> None:
        _check_signer(request, "approve")


class CertificateSigning(Plugin):
    operations = frozenset({UPDATE})
    storages = STORAGES
    subresources = frozenset({"status"})

    def validate(self, request: Request) -> None:
        status, before = request.obj.get("status") or {}, (request.old or {}).get("status") or {}
        if any(status.get(name) != before.get(name) for name in ("certificate", "conditions")):
            _check_signer(request, "sign")


class CertificateSubjectRestriction(Plugin):
    storages = STORAGES

    def validate(self, request: Request) -> None:
        spec = request.obj["spec"]
        if spec.get("signerName") != CLIENT_SIGNER:
            return
        from cryptography import x509  # most API servers never see such a request, and save its memory
        from cryptography.x509.oid import NameOID

        try:
            asked = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
            groups = [name.value for name in asked.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        except (ValueError, binascii.Error) as error:
            raise request.forbid(f"failed to parse CSR: {error}") from error
        if MASTERS in groups:
            raise request.forbid(f"use of {CLIENT_SIGNER} signer with {MASTERS} group is not allowed")

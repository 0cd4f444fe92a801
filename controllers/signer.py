"""Certificates for signing requests: what each of Kubernetes' own signers accepts, and the signature of the authority.

`cryptography` is imported when a request is to be signed, which most clusters never see.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controllers import pki

if TYPE_CHECKING:
    from cryptography import x509

BACKDATE = datetime.timedelta(minutes=5)  # clocks differ
LONGEST = 365 * 24 * 3600  # seconds
NODE, NODES = "system:node:", "system:nodes"


class Refusal(Exception):
    """The signer does not sign this request; the message says why."""


@dataclass(frozen=True)
class Signer:
    """What one signer accepts: `needs` of the usages in `may`; `node`: subjects of nodes only; `names`: with addresses."""

    needs: frozenset[str]
    may: frozenset[str]
    node: bool = False
    names: bool = False


_BASE = frozenset({"digital signature", "key encipherment"})
_CLIENT, _SERVER = frozenset({"client auth"}), frozenset({"server auth"})
_SIGNATURE = frozenset({"digital signature"})
SIGNERS = {
    "kubernetes.io/kube-apiserver-client": Signer(_CLIENT, _BASE | _CLIENT),
    "kubernetes.io/kube-apiserver-client-kubelet": Signer(_SIGNATURE | _CLIENT, _BASE | _CLIENT, node=True),
    "kubernetes.io/kubelet-serving": Signer(_SIGNATURE | _SERVER, _BASE | _SERVER, node=True, names=True),
}


def sign(request: bytes, signer: Signer, usages: set[str], seconds: int | None) -> bytes:
    """The certificate (PEM) for a PKCS#10 request (PEM), valid for `seconds` at most. Raises Refusal."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID

    asked = x509.load_pem_x509_csr(request)
    check(asked, signer, usages)
    authority = x509.load_pem_x509_certificate(pki.authority().encode())
    key = serialization.load_pem_private_key((pki.folder() / "ca.key").read_bytes(), None)
    now = datetime.datetime.now(datetime.UTC)
    end = now + datetime.timedelta(seconds=min(seconds or LONGEST, LONGEST))
    known = {"client auth": ExtendedKeyUsageOID.CLIENT_AUTH, "server auth": ExtendedKeyUsageOID.SERVER_AUTH}
    purposes = [oid for name, oid in known.items() if name in usages]
    builder = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(authority.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(min(end, authority.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
    )
    if usages & _BASE:  # without any usage the extension would be invalid
        purpose = x509.KeyUsage(
            digital_signature="digital signature" in usages,
            key_encipherment="key encipherment" in usages,
            content_commitment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(purpose, critical=True)
    names = _names(asked)
    if names is not None:
        builder = builder.add_extension(names, critical=False)
    made = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type]
    return made.public_bytes(serialization.Encoding.PEM)


def check(asked: x509.CertificateSigningRequest, signer: Signer, usages: set[str]) -> None:
    """Raises Refusal where the signer's rules do not allow the request."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    if not asked.is_signature_valid:
        raise Refusal("the request is not signed by the key it holds")
    if missing := signer.needs - usages:
        raise Refusal(f"usages: {', '.join(sorted(missing))} must be asked for")
    if foreign := usages - signer.may:
        raise Refusal(f"usages: {', '.join(sorted(foreign))} is not signed by this signer")
    names_of_subject = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    common = str(names_of_subject[0].value) if names_of_subject else ""
    groups = [group.value for group in asked.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if signer.node and (groups != [NODES] or not common.startswith(NODE) or common == NODE):
        raise Refusal(f"the subject must be of a node: organization {NODES}, common name {NODE}NAME")
    names = _names(asked)
    if signer.node and not signer.names and names is not None:
        raise Refusal("subject alternative names are not allowed")
    if signer.names and (names is None or not all(isinstance(name, x509.DNSName | x509.IPAddress) for name in names)):
        raise Refusal("subject alternative names must be DNS names or IP addresses, at least one")


def _names(asked: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    from cryptography import x509

    try:
        return asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None

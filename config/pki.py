"""The certificate authority of an installation and what it signs; made at the first start, all under `pki/`.

| file | what for |
| --- | --- |
| `ca.crt`, `ca.key` | the authority |
| `apiserver.*` | the API's server certificate |
| `apiserver-kubelet-client.*` | with which the API server calls kubelets |
| `kubelet.*` | the kubelet's server certificate |
| `front-proxy-ca.*`, `front-proxy-client.*` | with which the API server calls API servers beside it, and their authority |
| `sa.key`, `sa.pub` | sign and check the tokens of service accounts (ES256) |
| `tokens.csv` | static tokens: token,user,uid,"groups" |

The keys that secrets are encrypted with at rest are not here but in a folder of their own: see `cluster.keyring`.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.keyring import write_private

YEARS = 10


class Authority:
    """Signs certificates; loads its key from `pki/`, or makes it."""

    def __init__(self, folder: Path, file: str = "ca") -> None:
        self.folder = folder
        if (folder / f"{file}.key").exists():
            loaded = serialization.load_pem_private_key((folder / f"{file}.key").read_bytes(), None)
            assert isinstance(loaded, ec.EllipticCurvePrivateKey)
            self.key = loaded
            self.certificate = x509.load_pem_x509_certificate((folder / f"{file}.crt").read_bytes())
            return
        self.key = _new_key(folder / f"{file}.key")
        self.certificate = self._sign(_name(f"binnacle-{file}"), self.key, None, x509.BasicConstraints(True, None))
        write_private(folder / f"{file}.crt", self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, file: str, common_name: str, groups: Sequence[str] = (), names: Sequence[str] = ()) -> None:
        """Make `file`.crt and `file`.key, unless they are there and still good for `names`."""
        path = self.folder / f"{file}.crt"
        if path.exists() and set(names) <= _names_of(path):
            return
        key = _new_key(self.folder / f"{file}.key")
        certificate = self._sign(_name(common_name, groups), key, names, x509.BasicConstraints(False, None))
        write_private(path, certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        names: Sequence[str] | None,
        basic: x509.BasicConstraints,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if names is None else self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=365 * YEARS))
            .add_extension(basic, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), False)
        )
        if basic.ca:
            usage = x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        else:
            usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        return builder.sign(self.key, hashes.SHA256())


def _name(common_name: str, groups: Sequence[str] = ()) -> x509.Name:
    return x509.Name(
        [
            *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, g) for g in groups),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names_of(path: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in found}


def _new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(
        path,
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
    return key


def make_all(folder: Path, *, node: str, addresses: Sequence[str], domain: str = "cluster.local") -> None:
    """Make whatever is missing of the files in this module's table.

    `addresses`: the IPs under which the API is called, its service address among them.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = Authority(folder)
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{domain}"]
    authority.issue("apiserver", "kube-apiserver", names=[*service, "localhost", node, "127.0.0.1", "::1", *addresses])
    authority.issue("apiserver-kubelet-client", "kube-apiserver-kubelet-client", ["system:masters"])
    authority.issue("kubelet", f"system:node:{node}", ["system:nodes"], [node, "localhost", "127.0.0.1", *addresses])
    # An authority of its own: who holds a certificate of it says in whose name he asks.
    Authority(folder, "front-proxy-ca").issue("front-proxy-client", "front-proxy-client")
    if not (folder / "sa.key").exists():
        key = _new_key(folder / "sa.key")
        write_private(
            folder / "sa.pub",
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        )


def static_tokens(folder: Path, users: dict[str, str]) -> dict[str, str]:
    """The token of each user (name → group), made where missing; kept in `tokens.csv`."""
    path = folder / "tokens.csv"
    lines = path.read_text().splitlines() if path.exists() else []
    tokens = {line.split(",")[1]: line.split(",")[0] for line in lines if line}
    missing = [user for user in users if user not in tokens]
    for user in missing:
        tokens[user] = secrets.token_hex(32)  # no dash in front, which a shell takes for an option
        lines.append(f'{tokens[user]},{user},{user},"{users[user]}"')
    if missing:
        write_private(path, ("\n".join(lines) + "\n").encode())
    return tokens


def write_kubeconfig(path: Path, *, server: str, ca: Path, user: str, token: str) -> None:
    """A kubeconfig with one context, which authenticates by token. JSON is YAML too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    authority = base64.b64encode(ca.read_bytes()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "binnacle",
        "clusters": [{"name": "binnacle", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "binnacle", "context": {"cluster": "binnacle", "user": user}}],
    }
    write_private(path, json.dumps(document, indent=2).encode() + b"\n")

"""Reading a kubeconfig: where the server is, whom to trust, and who we are."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environment

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class KubeconfigError(ValueError):
    """The kubeconfig cannot be used; the message names the file, the field and what is missing."""


@dataclass(frozen=True)
class Config:
    """One server and one identity.  PEM material is kept as text; `token_file` is read anew for each request."""

    server: str
    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    token: str | None = None
    token_file: str | None = None
    insecure: bool = False
    server_name: str | None = None
    namespace: str = "default"

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS context for `server`; None for plain http."""
        if not self.server.startswith("https:"):
            return None
        context = ssl.create_default_context(cadata=self.ca)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_cert and self.client_key:
            # OpenSSL's binding loads identities from files only; the file is private and lives for a moment.
            descriptor, name = tempfile.mkstemp(prefix="client-identity-")
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(self.client_cert.rstrip("\n") + "\n" + self.client_key.rstrip("\n") + "\n")
                context.load_cert_chain(name)
            finally:
                os.unlink(name)
        return context

    def bearer(self) -> str | None:
        """The token to send now; projected service account tokens rotate, so their file is read each time."""
        if self.token_file:
            return Path(self.token_file).read_text().strip()
        return self.token


def load(path: str | Path | None = None, context: str | None = None) -> Config:
    """The configuration of a kubeconfig's context (the current one by default).

    Without `path`: $KUBECONFIG, else ~/.kube/config, else the service account of the pod we run in.
    """
    if path:
        file = Path(path)
    elif files := environment.KUBECONFIG.get():
        file = Path(files.split(os.pathsep)[0])
    elif not (file := Path.home() / ".kube" / "config").exists():
        return in_cluster()
    import yaml  # imported late: only start-up needs it

    try:
        document = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise KubeconfigError(f"{file}: cannot be read as a kubeconfig: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"{file}: is not a kubeconfig (a mapping with clusters, users and contexts)")
    return _from_document(document, file, context)


def in_cluster() -> Config:
    """The configuration of a pod: its service account's token and the address in KUBERNETES_SERVICE_HOST."""
    host, port = environment.KUBERNETES_SERVICE_HOST.get(), environment.KUBERNETES_SERVICE_PORT.get()
    if not host or not (SERVICE_ACCOUNT / "token").exists():
        raise KubeconfigError("no kubeconfig given, none in $KUBECONFIG or ~/.kube/config, and this is not a pod")
    if ":" in host:
        host = f"[{host}]"
    return Config(
        server=f"https://{host}:{port}",
        ca=(SERVICE_ACCOUNT / "ca.crt").read_text(),
        token_file=str(SERVICE_ACCOUNT / "token"),
        namespace=(SERVICE_ACCOUNT / "namespace").read_text().strip(),
    )


def _from_document(document: dict[str, Any], file: Path, wanted: str | None) -> Config:
    name = wanted or document.get("current-context")
    if not name:
        raise KubeconfigError(f"{file}: current-context is not set; name a context")
    context = _named(document, "contexts", name, "context", file)
    cluster = _named(document, "clusters", context.get("cluster"), "cluster", file)
    user = _named(document, "users", context["user"], "user", file) if context.get("user") else {}
    if not cluster.get("server"):
        raise KubeconfigError(f"{file}: clusters[{context['cluster']}].cluster.server is missing")
    return Config(
        server=cluster["server"].rstrip("/"),
        ca=_pem(cluster, "certificate-authority", file),
        client_cert=_pem(user, "client-certificate", file),
        client_key=_pem(user, "client-key", file),
        token=user.get("token"),
        token_file=None if user.get("token") else _relative(user.get("tokenFile"), file),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=cluster.get("tls-server-name"),
        namespace=context.get("namespace") or "default",
    )


def _named(document: dict[str, Any], section: str, name: str | None, field: str, file: Path) -> dict[str, Any]:
    for entry in document.get(section) or []:
        if entry.get("name") == name:
            return entry.get(field) or {}
    raise KubeconfigError(f"{file}: {section} has no entry named {name!r}")


def _relative(value: str | None, file: Path) -> str | None:
    return str(file.parent / value) if value else None


def _pem(entry: dict[str, Any], field: str, file: Path) -> str | None:
    """`<field>-data` (base64) or the content of the file that `<field>` names, relative to the kubeconfig."""
    data = entry.get(field + "-data")
    if data:
        try:
            return base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise KubeconfigError(f"{file}: {field}-data is not base64 of PEM text: {error}") from error
    name = _relative(entry.get(field), file)
    if name is None:
        return None
    try:
        return Path(name).read_text()
    except OSError as error:
        raise KubeconfigError(f"{file}: {field}: {error}") from error

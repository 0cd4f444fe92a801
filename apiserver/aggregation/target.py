"""The way to an API server beside this one: an endpoint of its service, TLS, and this server's own certificate."""

from __future__ import annotations

import base64
import ssl
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from apiserver.backend import Header, Target
from apiserver.remotes import Remote
from apiserver.subresources.proxy import choose_endpoint
from cluster.cache import Cache
from cluster.store import Key
from kube.errors import ServiceUnavailable
from kube.users import User

CERTIFICATE, AUTHORITY = "front-proxy-client", "front-proxy-ca"
USER, UID, GROUP, EXTRA = "X-Remote-User", "X-Remote-Uid", "X-Remote-Group", "X-Remote-Extra-"


def of(remote: Remote, cache: Cache, pki: Path) -> Target:
    """Where to connect. Raises ServiceUnavailable where there is no endpoint."""
    host, port = address(remote, cache)
    return Target(host, port, _tls(pki, remote.bundle, remote.insecure), remote.host)


def address(remote: Remote, cache: Cache) -> tuple[str, int]:
    """An endpoint of the service. Raises ServiceUnavailable."""
    entry = cache.get(Key("services", remote.namespace, remote.service))
    if entry is None:
        raise ServiceUnavailable(f'service "{remote.service}" not found')
    spec = entry.object()["spec"]
    if spec.get("type") == "ExternalName":
        return spec["externalName"], remote.port
    return choose_endpoint(cache, entry, str(remote.port))


def identity(user: User) -> list[Header]:
    """The headers that say in whose name a request is passed on."""
    found = [(USER, user.name)] + ([(UID, user.uid)] if user.uid else [])
    found += [(GROUP, group) for group in user.groups]
    found += [
        (EXTRA + quote(key.lower(), safe="!#$&'*+.^_`|~"), value)
        for key, values in user.extra.items()
        for value in values
    ]
    return [(name.lower().encode("latin-1"), value.encode()) for name, value in found]


@lru_cache(maxsize=64)
def _tls(pki: Path, bundle: str, insecure: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=base64.b64decode(bundle).decode() if bundle else None)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(pki / f"{CERTIFICATE}.crt", pki / f"{CERTIFICATE}.key")
    return context

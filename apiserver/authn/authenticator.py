"""Who sends a request: certificate, static token, service account token or bootstrap token; else anonymous."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apiserver.authn import serviceaccounts
from cluster import plaintokens
from cluster.cache import Cache
from cluster.tokens import ISSUER, InvalidToken, Signer
from kube.errors import Unauthorized
from kube.users import ANONYMOUS, AUTHENTICATED, User

if TYPE_CHECKING:
    from apiserver.request import Request

MEMO_LIMIT = 10_000


class Authenticator:
    """Authenticates against the state folder's keys and the cache."""

    def __init__(self, pki: Path, cache: Cache) -> None:
        self.cache = cache
        self.signer = Signer(pki / "sa.key")
        self.static = plaintokens.of_folder(pki)
        # Signatures are checked once: token → claims that were found good. Liveness is checked every time.
        self._verified: dict[str, dict[str, Any]] = {}

    def authenticate(self, request: Request) -> User:
        """The user of a request. Raises Unauthorized for credentials that are not good."""
        header = request.header(b"authorization") or websocket_token(request)
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            user = self.of_token(token.strip(), [ISSUER])
            if user is None:
                raise Unauthorized
            return user
        certificate = request.scope.get("client_certificate")
        return certificate if certificate is not None else ANONYMOUS

    def of_token(self, token: str, audiences: list[str]) -> User | None:
        """The user that a bearer token stands for, None for an unknown one."""
        user = self.static.users().get(token)
        if user is None and token.count(".") == 2:
            user = self._service_account(token, audiences)
        elif user is None:
            user = self._bootstrap(token)
        return user

    def _service_account(self, token: str, audiences: list[str]) -> User | None:
        try:
            subject = serviceaccounts.identify(_Remembering(self.signer, self._verified), self.cache, token)
        except InvalidToken:
            return None
        if subject.audiences and not set(subject.audiences) & set(audiences):
            return None
        return subject.user

    def _bootstrap(self, token: str) -> User | None:
        token_id, dot, secret = token.partition(".")
        if not dot:
            return None
        entry = self.cache.get(plaintokens.bootstrap_key(token_id))
        return None if entry is None else plaintokens.bootstrap_user(token_id, entry.object(), secret)


class _Remembering(Signer):
    """A signer that checks each signature once."""

    def __init__(self, signer: Signer, known: dict[str, dict[str, Any]]) -> None:
        self.signer, self.known = signer, known

    def verify(self, token: str) -> dict[str, Any]:
        claims = self.known.get(token)
        if claims is None:
            claims = self.signer.verify(token)
            if len(self.known) >= MEMO_LIMIT:
                self.known.clear()
            self.known[token] = claims
        return claims


def of_certificate(certificate: dict[str, Any]) -> User | None:
    """The user of a verified client certificate, as `ssl` describes it: common name, organisations as groups."""
    fields = [pair for rdn in certificate.get("subject", ()) for pair in rdn]
    name = next((value for key, value in fields if key == "commonName"), "")
    groups = [value for key, value in fields if key == "organizationName"]
    return User(name, groups=(*groups, AUTHENTICATED)) if name else None


def websocket_token(request: Request) -> str:
    """A bearer token that a browser sends as a WebSocket subprotocol, since it can send no header."""
    prefix = "base64url.bearer.authorization.k8s.io."
    for protocol in request.header(b"sec-websocket-protocol").split(","):
        if protocol.strip().startswith(prefix):
            text = protocol.strip()[len(prefix) :]
            try:
                return "Bearer " + base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except ValueError as error:
                raise Unauthorized from error
    return ""

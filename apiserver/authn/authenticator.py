"""Who sends a request: certificate, static token, service account token or bootstrap token; else anonymous."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from apiserver.authn import serviceaccounts
from apiserver.authn.logins import Logins
from apiserver.authn.serviceaccounts import Settings, Subject
from cluster import plaintokens
from cluster.cache import Cache
from cluster.tokens import LEGACY_ISSUER, InvalidToken, Signer
from kube.errors import Unauthorized
from kube.users import ANONYMOUS, AUTHENTICATED, User, credential

if TYPE_CHECKING:
    from apiserver.request import Request

MEMO_LIMIT = 10_000


class Authenticator:
    """Authenticates against the state folder's keys and the cache."""

    def __init__(self, pki: Path, cache: Cache, settings: Settings | None = None, logins: Logins | None = None) -> None:
        self.cache = cache
        self.settings, self.logins = settings or Settings(), logins or Logins()
        self.signer = Signer(pki / "sa.key", self.settings.key_files or None)
        self.static = plaintokens.of_folder(pki)
        # Signatures are checked once: token → claims that were found good. Liveness is checked every time.
        self._verified: dict[str, dict[str, Any]] = {}

    async def authenticate(self, request: Request) -> User:
        """The user of a request. Raises Unauthorized for credentials that are not good."""
        certificate: User | None = request.scope.get("client_certificate")
        if certificate is not None:
            return certificate
        header = request.header(b"authorization") or websocket_token(request)
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            if not self.logins.anonymous(request.info.path):
                raise Unauthorized
            return ANONYMOUS
        try:
            subject = await self.of_token(token.strip(), self.settings.api_audiences)
        except InvalidToken as error:
            raise Unauthorized from error
        request.annotations = subject.annotations
        return subject.user

    async def of_token(self, token: str, audiences: list[str]) -> Subject:
        """Whom a bearer token stands for. Raises InvalidToken, with a reason where the token is of a kind that is known."""
        issuer = None if token in self._verified else issuer_of(token)
        if token in self._verified or issuer in (LEGACY_ISSUER, *self.settings.issuers):
            signer = _Remembering(self.signer, self._verified)
            return serviceaccounts.identify(signer, self.cache, token, self.settings, audiences)
        user = self.static.users().get(token) or self._bootstrap(token)
        login = self.logins.of(issuer) if user is None else None
        if login is not None:
            user = await login.user(token)
        meant = [audience for audience in self.settings.api_audiences if audience in audiences]
        if user is None or not meant:
            raise InvalidToken
        return Subject(user, meant, {})

    def _bootstrap(self, token: str) -> User | None:
        token_id, dot, secret = token.partition(".")
        if not dot or "." in secret:
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


def issuer_of(token: str) -> str | None:
    """Who a JWT says to be from; nothing of it is checked. None for what is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


UID = "1.3.6.1.4.1.57683.2"  # the attribute of a certificate's subject that holds the uid of its user


def of_certificate(certificate: dict[str, Any], der: bytes) -> User | None:
    """The user of a verified client certificate, as `ssl` describes it: common name, organisations as groups.

    None for one that names nobody, or more than one uid.
    """
    fields = [pair for rdn in certificate.get("subject", ()) for pair in rdn]
    names = [value for key, value in fields if key == "commonName"]
    groups = [value for key, value in fields if key == "organizationName"]
    uids = [value for key, value in fields if key == UID]
    if not names or not names[-1] or len(uids) > 1 or "" in uids:
        return None
    known = credential("X509SHA256", hashlib.sha256(der).hexdigest())
    return User(names[-1], "".join(uids), (*groups, AUTHENTICATED), known)


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

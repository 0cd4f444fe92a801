"""Who sends a request: certificate, static token, service account token or bootstrap token; else anonymous."""

from __future__ import annotations

import base64
import csv
import hmac
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apiserver.authn import serviceaccounts
from cluster.cache import Cache
from cluster.store import Key
from cluster.tokens import ISSUER, InvalidToken, Signer
from kube import clock
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
        self.tokens_file = pki / "tokens.csv"
        self._tokens: dict[str, User] = {}
        self._tokens_stamp = 0.0
        self._tokens_looked = float("-inf")
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
        now = time.monotonic()
        if now - self._tokens_looked > 1.0:
            self._tokens_looked = now
            try:
                stamp = self.tokens_file.stat().st_mtime
            except FileNotFoundError:
                self._tokens, self._tokens_stamp = {}, 0.0
            else:
                if stamp != self._tokens_stamp:
                    self._tokens, self._tokens_stamp = read_tokens(self.tokens_file), stamp
        user = self._tokens.get(token)
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
        entry = self.cache.get(Key("secrets", "kube-system", f"bootstrap-token-{token_id}"))
        if entry is None:
            return None
        data = {k: base64.b64decode(v).decode() for k, v in (entry.object().get("data") or {}).items()}
        same = hmac.compare_digest(data.get("token-secret", "").encode(), secret.encode())
        good = same and data.get("usage-bootstrap-authentication") == "true"
        if not good or ("expiration" in data and clock.parse(data["expiration"]) < clock.parse(clock.now())):
            return None
        groups = [g for g in data.get("auth-extra-groups", "").split(",") if g]
        return User(f"system:bootstrap:{token_id}", groups=("system:bootstrappers", *groups, AUTHENTICATED))


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


def read_tokens(path: Path) -> dict[str, User]:
    """Users by their static token, from a file in the format of kube-apiserver: token,user,uid,"group1,group2"."""
    users = {}
    with path.open(newline="") as file:
        for row in csv.reader(file):
            if len(row) >= 2 and row[0].strip():
                groups = [g.strip() for g in (row[3] if len(row) > 3 else "").split(",") if g.strip()]
                users[row[0].strip()] = User(
                    row[1].strip(), row[2].strip() if len(row) > 2 else "", (*groups, AUTHENTICATED)
                )
    return users


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

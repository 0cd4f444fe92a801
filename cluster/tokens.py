"""Tokens of service accounts: who issues them, and their signature (ES256 or RS256, as the key is), by PyJWT."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from jwt import PyJWS

ISSUER = "https://kubernetes.default.svc"
# Tokens in Secrets, which live as long as their Secret: another issuer, and claims with this prefix.
LEGACY_ISSUER, LEGACY_CLAIM = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/"


class InvalidToken(ValueError):
    """The token is malformed, or not signed by this key."""


class Signer:
    """Signs and checks tokens with the key pair of service accounts (`sa.key`).

    The key is read, and PyJWT and cryptography (14 MB) are imported, on first use: most processes sign nothing.
    """

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file

    @cached_property
    def key(self) -> Any:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return load_pem_private_key(self.key_file.read_bytes(), None)

    @cached_property
    def public_key(self) -> Any:
        return self.key.public_key()

    @cached_property
    def algorithm(self) -> str:
        """The one algorithm that is signed with and accepted: the key says it, never a token's header."""
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

        return "ES256" if isinstance(self.key, EllipticCurvePrivateKey) else "RS256"

    @cached_property
    def key_id(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from jwt.utils import base64url_encode

        der = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64url_encode(hashlib.sha256(der).digest()).decode()

    @cached_property
    def _jws(self) -> PyJWS:
        # Not PyJWT's own decode(): times, audience and issuer are the caller's to check each time, a signature once.
        from jwt import PyJWS

        return PyJWS(algorithms=[self.algorithm])

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed token with these claims."""
        # An empty `typ` leaves it out, as Kubernetes does.
        headers = {"typ": "", "kid": self.key_id}
        return self._jws.encode(orjson.dumps(claims), self.key, self.algorithm, headers)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token signed by this key. Raises InvalidToken; times and audience are the caller's to check."""
        from jwt import PyJWTError

        try:
            claims = orjson.loads(self._jws.decode(token, self.public_key, [self.algorithm]))
        except (PyJWTError, ValueError) as error:
            raise InvalidToken(f"not a token of this key: {error}") from error
        if not isinstance(claims, dict):
            raise InvalidToken("the claims are not a JSON object")
        return claims

"""JSON Web Tokens, just what service accounts need: ES256 and RS256, compact form."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import orjson

ISSUER = "https://kubernetes.default.svc"
# Tokens in Secrets, which live as long as their Secret: another issuer, and claims with this prefix.
LEGACY_ISSUER, LEGACY_CLAIM = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/"


class InvalidToken(ValueError):
    """The token is malformed, or not signed by this key."""


def encode_part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decode_part(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise InvalidToken("not base64") from error


class Signer:
    """Signs and checks tokens with the key pair of service accounts (`sa.key`). Keys are read on first use."""

    def __init__(self, key_file: Path) -> None:
        self.key_file = key_file
        self._key: Any = None

    @property
    def key(self) -> Any:
        if self._key is None:
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

            self._key = load_pem_private_key(self.key_file.read_bytes(), None)
        return self._key

    @property
    def elliptic(self) -> bool:
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

        return isinstance(self.key, EllipticCurvePrivateKey)

    @property
    def key_id(self) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        der = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return encode_part(hashlib.sha256(der).digest()).decode()

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed token with these claims."""
        header = {"alg": "ES256" if self.elliptic else "RS256", "kid": self.key_id}
        message = encode_part(orjson.dumps(header)) + b"." + encode_part(orjson.dumps(claims))
        return (message + b"." + encode_part(self._signature(message))).decode()

    def _signature(self, message: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

        if not self.elliptic:
            signature: bytes = self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
            return signature
        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token signed by this key. Raises InvalidToken; times and audience are the caller's to check."""
        parts = token.split(".")
        if len(parts) != 3:
            raise InvalidToken("not a JSON web token")
        try:
            header, claims = orjson.loads(decode_part(parts[0])), orjson.loads(decode_part(parts[1]))
        except orjson.JSONDecodeError as error:
            raise InvalidToken("not a JSON web token") from error
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise InvalidToken("not a JSON web token")
        if header.get("alg") != ("ES256" if self.elliptic else "RS256"):
            raise InvalidToken("signed with another algorithm")
        self._check(f"{parts[0]}.{parts[1]}".encode(), decode_part(parts[2]))
        return claims

    def _check(self, message: bytes, signature: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

        public = self.key.public_key()
        try:
            if self.elliptic:
                if len(signature) != 64:
                    raise InvalidToken("bad signature")
                r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
                public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
            else:
                public.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as error:
            raise InvalidToken("bad signature") from error

"""Tokens of service accounts: who issues them, and their signature (RS256 or ES256, ES384, ES512, as the key is), by PyJWT.

One key signs (`sa.key`); several may verify: it, and every public key in `sa*.pub` beside it. So a key is replaced without
an end of the tokens that it signed: its public half stays, under another name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from jwt import PyJWS

ISSUER = "https://kubernetes.default.svc"
# Tokens in Secrets, which live as long as their Secret: another issuer, and claims with this prefix.
LEGACY_ISSUER, LEGACY_CLAIM = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/"


class InvalidToken(ValueError):
    """The token is malformed, or not signed by this key."""


class PublicKey(NamedTuple):
    """A key that verifies: its `kid`, and the one algorithm that is accepted with it. Its type says which, no header."""

    id: str
    algorithm: str
    key: Any

    @classmethod
    def of(cls, key: Any) -> PublicKey:
        """Raises ValueError for a key of another kind than Kubernetes signs with."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        from jwt.utils import base64url_encode

        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls(base64url_encode(hashlib.sha256(der).digest()).decode(), _algorithm(key), key)

    def jwk(self) -> dict[str, Any]:
        """This key as a JSON Web Key."""
        from jwt.algorithms import ECAlgorithm, RSAAlgorithm

        kind = RSAAlgorithm if self.algorithm == "RS256" else ECAlgorithm
        described = kind.to_jwk(self.key, as_dict=True)
        described.pop("key_ops", None)
        return {"use": "sig", "kty": described.pop("kty"), "kid": self.id, "alg": self.algorithm, **described}


class Signer:
    """Signs tokens with the key of service accounts, and checks them with it and the keys beside it.

    `others`: files of further keys that verify; None: every `sa*.pub` in the folder of `key_file`. Keys are read, and PyJWT
    and cryptography (14 MB) are imported, on first use: most processes sign nothing.
    """

    def __init__(self, key_file: Path, others: Sequence[Path] | None = None) -> None:
        self.key_file, self._others = key_file, others

    @cached_property
    def key(self) -> Any:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        return load_pem_private_key(self.key_file.read_bytes(), None)

    @cached_property
    def public(self) -> PublicKey:
        """The key that verifies what this signs."""
        return PublicKey.of(self.key.public_key())

    @cached_property
    def verifying(self) -> dict[str, PublicKey]:
        """Every key that verifies, by its id; the signing one first. Raises ValueError, OSError."""
        files = sorted(self.key_file.parent.glob("sa*.pub")) if self._others is None else self._others
        found = [PublicKey.of(key) for path in files for key in public_keys(path)]
        return {known.id: known for known in (self.public, *found)}

    @cached_property
    def _jws(self) -> PyJWS:
        # Not PyJWT's own decode(): times, audience and issuer are the caller's to check each time, a signature once.
        from jwt import PyJWS

        return PyJWS()

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed token with these claims."""
        # An empty `typ` leaves it out, as Kubernetes does.
        headers = {"typ": "", "kid": self.public.id}
        return self._jws.encode(orjson.dumps(claims), self.key, self.public.algorithm, headers)

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token signed by one of the keys; times and audience are not checked. Raises InvalidToken."""
        from jwt import PyJWTError

        try:
            named = self.verifying.get(str(self._jws.get_unverified_header(token).get("kid")))
        except (PyJWTError, ValueError) as error:
            raise InvalidToken(f"not a token: {error}") from error
        why: Exception | None = None
        for known in (named,) if named else self.verifying.values():
            try:
                claims = orjson.loads(self._jws.decode(token, known.key, [known.algorithm]))
            except (PyJWTError, ValueError) as error:
                why = error
                continue
            if not isinstance(claims, dict):
                raise InvalidToken("the claims are not a JSON object")
            return claims
        raise InvalidToken(f"not a token of these keys: {why}") from why


_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----", re.DOTALL)


def public_keys(path: Path) -> Iterator[Any]:
    """The public keys in a file of PEM blocks, which may be private keys or certificates. Raises ValueError, OSError."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
    from cryptography.x509 import load_pem_x509_certificate

    blocks = list(_PEM.finditer(path.read_bytes()))
    if not blocks:
        raise ValueError(f"{path}: no key in PEM form")
    for block in blocks:
        kind, pem = block[1], block[0] + b"\n"
        if kind.endswith(b"PRIVATE KEY"):
            yield load_pem_private_key(pem, None).public_key()
        elif kind == b"CERTIFICATE":
            yield load_pem_x509_certificate(pem).public_key()
        else:
            yield load_pem_public_key(pem)


def _algorithm(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        return "RS256"
    curve = key.curve.name if isinstance(key, EllipticCurvePublicKey) else ""
    if curve not in _BY_CURVE:
        raise ValueError("a key of service accounts is RSA, or ECDSA on P-256, P-384 or P-521")
    return _BY_CURVE[curve]


_BY_CURVE = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

"""Signatures of service account tokens: the wire form, and what is refused whatever its claims say."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cluster.tokens import InvalidToken, PublicKey, Signer, public_keys

CLAIMS: dict[str, Any] = {"aud": ["a"], "exp": 1796083200, "kubernetes.io": {"namespace": "é"}, "sub": "s"}


def signer(path: Path, kind: str) -> Signer:
    key: Any = ec.generate_private_key(ec.SECP256R1()) if kind == "ES256" else rsa.generate_private_key(65537, 2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Signer(path)


def part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def unpart(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(scope="module", params=["ES256", "RS256"])
def ours(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return signer(tmp_path_factory.mktemp("keys") / "sa.key", request.param)


def test_the_wire_form(ours: Signer) -> None:
    token = ours.sign(CLAIMS)
    header, claims, signature = (unpart(text) for text in token.split("."))
    der = ours.public.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert header == orjson.dumps({"alg": ours.public.algorithm, "kid": part(hashlib.sha256(der).digest())})
    assert claims == orjson.dumps(CLAIMS)
    assert len(signature) == (64 if ours.public.algorithm == "ES256" else 256)
    assert ours.verify(token) == CLAIMS


def test_a_token_signed_by_hand_is_good(ours: Signer) -> None:
    """As tokens were made before PyJWT; the key decides, so another `kid` or none is no matter."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, utils

    for header in ({"alg": ours.public.algorithm}, {"alg": ours.public.algorithm, "kid": "unknown"}):
        message = f"{part(orjson.dumps(header))}.{part(orjson.dumps(CLAIMS))}"
        if ours.public.algorithm == "RS256":
            signature = ours.key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256())
        else:
            r, s = utils.decode_dss_signature(ours.key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
            signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        assert ours.verify(f"{message}.{part(signature)}") == CLAIMS


def test_the_key_says_the_algorithm_not_the_header(ours: Signer) -> None:
    pem = ours.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _, claims, signature = ours.sign(CLAIMS).split(".")
    for algorithm in (
        "none",
        "None",
        "",
        None,
        ["ES256"],
        "HS256",
        "RS256" if ours.public.algorithm == "ES256" else "ES256",
    ):
        message = f"{part(orjson.dumps({'alg': algorithm, 'kid': ours.public.id}))}.{claims}"
        by_public_key = part(hmac.digest(pem, message.encode(), "sha256"))
        for signed in ("", signature, by_public_key):
            with pytest.raises(InvalidToken):
                ours.verify(f"{message}.{signed}")


@pytest.mark.parametrize("kind", ["ES256", "RS256"])
def test_another_key(ours: Signer, tmp_path: Path, kind: str) -> None:
    with pytest.raises(InvalidToken):
        ours.verify(signer(tmp_path / "other.key", kind).sign(CLAIMS))


def test_changed_claims(ours: Signer) -> None:
    header, _, signature = ours.sign(CLAIMS).split(".")
    with pytest.raises(InvalidToken):
        ours.verify(f"{header}.{part(orjson.dumps({**CLAIMS, 'sub': 'admin'}))}.{signature}")


@pytest.mark.parametrize(
    "token", ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "\ud800..", "!!!!.e30.", "e30.e30.", "W10.e30.AA"]
)
def test_malformed(ours: Signer, token: str) -> None:
    with pytest.raises(InvalidToken):
        ours.verify(token)


def test_more_or_less_than_a_token(ours: Signer) -> None:
    token = ours.sign(CLAIMS)
    for other in (token + ".", token + ".AAAA", "." + token, token[:-4], token + "AAAA", token.rpartition(".")[0]):
        with pytest.raises(InvalidToken):
            ours.verify(other)


@pytest.mark.parametrize("claims", [[], "text", None, 1])
def test_claims_are_an_object(ours: Signer, claims: Any) -> None:
    with pytest.raises(InvalidToken):
        ours.verify(ours.sign(claims))


CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}


@pytest.mark.parametrize("algorithm", ["RS256", *CURVES])
def test_a_third_party_verifies_by_the_published_key(tmp_path: Path, algorithm: str) -> None:
    key: Any = (
        ec.generate_private_key(CURVES[algorithm]) if algorithm in CURVES else rsa.generate_private_key(65537, 2048)
    )
    (tmp_path / "sa.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    made = Signer(tmp_path / "sa.key")
    published = made.public.jwk()
    assert (published["alg"], published["use"], published["kid"]) == (algorithm, "sig", made.public.id)
    assert "d" not in published
    found = jwt.PyJWKSet.from_dict({"keys": [published]})[made.public.id]
    assert jwt.decode(made.sign({"sub": "s"}), found.key, [algorithm])["sub"] == "s"


def test_a_replaced_key_verifies_as_long_as_its_public_half_is_there(tmp_path: Path) -> None:
    old = signer(tmp_path / "sa.key", "RS256")
    token = old.sign(CLAIMS)
    pem = old.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "sa-old.pub").write_bytes(pem)
    new = signer(tmp_path / "sa.key", "ES256")
    assert list(new.verifying) == [new.public.id, old.public.id]
    assert new.verify(token) == new.verify(new.sign(CLAIMS)) == CLAIMS
    (tmp_path / "sa-old.pub").unlink()
    with pytest.raises(InvalidToken):
        Signer(tmp_path / "sa.key").verify(token)


def test_a_file_may_hold_several_keys_of_several_forms(tmp_path: Path) -> None:
    first, second = signer(tmp_path / "a", "ES256"), signer(tmp_path / "b", "RS256")
    pem = second.public.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "both").write_bytes(b"# ours\n" + (tmp_path / "a").read_bytes() + pem)
    assert [PublicKey.of(key).id for key in public_keys(tmp_path / "both")] == [first.public.id, second.public.id]
    (tmp_path / "none").write_bytes(b"no key")
    with pytest.raises(ValueError, match="no key in PEM form"):
        list(public_keys(tmp_path / "none"))


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sa.key").write_bytes(
        ec.generate_private_key(ec.SECP256K1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(ValueError, match="RSA, or ECDSA"):
        Signer(tmp_path / "sa.key").sign({})

"""Encryption at rest of the kinds that hold secrets: AES-256-GCM with the key in the state folder's `pki/encryption.key`."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import environment

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# A body is JSON and begins with "{"; an encrypted one begins with this byte, then 12 bytes of nonce.
MARK = b"\x01"
ENCRYPTED_STORAGES = frozenset({"secrets"})


def key_path() -> Path:
    return environment.VAR.get() / "pki" / "encryption.key"


@cache
def _cipher(path: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = Path(path).read_bytes()
    if len(key) != 32:
        raise ValueError(f"{path}: an encryption key has 32 bytes, this file has {len(key)}")
    return AESGCM(key)


def conceal(storage: str, body: bytes) -> bytes:
    """The body as it is kept: encrypted where its kind holds secrets."""
    if storage not in ENCRYPTED_STORAGES:
        return body
    nonce = os.urandom(12)
    return MARK + nonce + _cipher(str(key_path())).encrypt(nonce, body, None)


def reveal(kept: bytes) -> bytes:
    """The JSON of a kept body; raises cryptography's InvalidTag when the key is not the one it was encrypted with."""
    if not kept.startswith(MARK):
        return kept
    return _cipher(str(key_path())).decrypt(kept[1:13], kept[13:], None)

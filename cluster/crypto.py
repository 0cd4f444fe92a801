"""Encryption at rest of the kinds that hold secrets: AES-256-GCM, each value bound to the object that it belongs to.

A kept body is JSON, which begins with `{`, or

    0x02 | id of the key, 8 bytes | nonce, 12 bytes | what AES-GCM makes of the JSON

with the cluster, storage, namespace and name as associated data: copied to another row it does not decrypt. Values from
before (0x01 | nonce | …) are bound to nothing. They are read only while the key of that time lies where it lay then; a
rotation writes them anew and moves it (see `cluster.rotation`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import orjson

from cluster import keyring
from cluster.changes import Key
from cluster.keyring import EncryptionKey
from kube.errors import InternalError

UNBOUND, MARK = b"\x01", b"\x02"
PREFIX = 9  # bytes: the mark and the key's id
ENCRYPTED_STORAGES = frozenset({"secrets"})

# Stands first in the remark that readers get instead of a body; the first field of a stored object is another.
_REMARK = b'{"unreadable":'


class Unreadable(InternalError):
    """A kept body that cannot be decrypted; the message says why. A retry does not help."""

    def __init__(self, key: Key, why: str) -> None:
        where = f"{key.namespace}/{key.name}" if key.namespace else key.name
        super().__init__(f"{key.storage} {where} cannot be decrypted: {why}")


def prefix() -> bytes:
    """How a body begins that is encrypted with the newest key. Raises KeyringError."""
    return MARK + keyring.ring().newest().id


def conceal(cluster: int, key: Key, body: bytes) -> bytes:
    """The body as it is kept: encrypted where its kind holds secrets. Raises KeyringError."""
    if key.storage not in ENCRYPTED_STORAGES:
        return body
    ring, nonce = keyring.ring(), os.urandom(12)
    newest = ring.newest()
    return MARK + newest.id + nonce + newest.cipher.encrypt(nonce, body, _binding(ring.identity, cluster, key))


def reveal(cluster: int, key: Key, kept: bytes, identity: str = "") -> bytes:
    """The JSON of a kept body. `identity`: of the installation that wrote it, if not this one. Raises Unreadable."""
    if key.storage not in ENCRYPTED_STORAGES and kept[:1] not in (UNBOUND, MARK):
        return kept
    ring = keyring.ring()
    if kept.startswith(UNBOUND):
        if ring.unbound is None:
            raise Unreadable(
                key, "its value is bound to no object, as versions before wrote them; such are not read here"
            )
        return reveal_unbound(key, kept, [ring.unbound])
    if not kept.startswith(MARK):
        raise Unreadable(key, "its value was not encrypted by this cluster")
    found = ring.get(kept[1:PREFIX])
    if found is None:
        raise Unreadable(key, f"it needs the encryption key {kept[1:PREFIX].hex()}, which is not in {ring.folder}")
    why = "its value was written for another object or cluster, or was changed"
    return _decrypt(found, kept[PREFIX:], _binding(identity or ring.identity, cluster, key), Unreadable(key, why))


def reveal_unbound(key: Key, kept: bytes, keys: Iterable[EncryptionKey]) -> bytes:
    """The JSON of a body from before, with whichever of the keys fits. Raises Unreadable."""
    failure = Unreadable(key, "its value was encrypted with a key that is not here, or was changed")
    if key.storage in ENCRYPTED_STORAGES:
        for candidate in keys:
            try:
                return _decrypt(candidate, kept[1:], None, failure)
            except Unreadable:
                continue
    raise failure


def remark(key: Key, revision: int, error: Unreadable) -> bytes:
    """What lists, watches and the history have in place of a body that cannot be read: the object without its data."""
    metadata = {"name": key.name, "namespace": key.namespace, "uid": "", "resourceVersion": str(revision)}
    document = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    return orjson.dumps({"unreadable": error.message, **document})


def check(body: bytes) -> None:
    """Raises InternalError for a remark: who asks for the one object, or would change it, is told why that cannot be."""
    if body.startswith(_REMARK):
        raise InternalError(str(orjson.loads(body)["unreadable"]))


def _binding(identity: str, cluster: int, key: Key) -> bytes:
    """Unlike for any two objects: JSON keeps apart what the parts could otherwise run together to."""
    return orjson.dumps([identity, cluster, *key])


def _decrypt(key: EncryptionKey, kept: bytes, binding: bytes | None, failure: Unreadable) -> bytes:
    from cryptography.exceptions import InvalidTag

    if len(kept) < 12 + 16:  # nonce and tag
        raise failure
    try:
        return key.cipher.decrypt(kept[:12], kept[12:], binding)
    except InvalidTag:
        raise failure from None

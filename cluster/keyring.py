"""The keys that secrets are encrypted with: files in a folder outside the database, and read anew when they change.

| in `keys/` of the state folder, or in `BINNACLE_KEYS` | what it is |
| --- | --- |
| `NAME.key` | 32 bytes; the last by name encrypts, all decrypt |
| `cluster-id` | which cluster's values these keys are for; no secret, but nothing decrypts without it |

A key is known by its id, eight bytes made of the key itself: a file may be renamed, copied and given another place in the
order. Installations from before keep one key more, `pki/encryption.key`: the oldest, until `retire` makes it one of these.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import environment

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SIZE = 32
IDENTITY = "cluster-id"


class KeyringError(Exception):
    """The keys cannot be read or written; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    id: bytes
    path: Path
    cipher: AESGCM = field(compare=False, repr=False)


def ring() -> Keyring:
    """The keys of this installation; one object for all threads of the process."""
    return of(environment.VAR.get())


def of(var: Path) -> Keyring:
    """The keys of the installation in a state folder."""
    return _kept(environment.KEYS.get() or var / "keys", var / "pki" / "encryption.key")


@cache
def _kept(where: Path, before: Path) -> Keyring:
    return Keyring(where, before)


class Keyring:
    """The keys of a folder, in order. `before`: where installations from before keep their one key.

    Every look at the folder is one `scandir`, which costs microseconds: who encrypts looks each time, so that no process
    goes on with a key that another has replaced; who decrypts looks when a value names a key that is not known here.
    """

    def __init__(self, where: Path, before: Path) -> None:
        self.folder, self._before = where, before
        self._seen: object = None
        self._keys: dict[bytes, EncryptionKey] = {}  # oldest first; replaced as a whole
        self._unbound: EncryptionKey | None = None
        self._identity = ""

    def newest(self) -> EncryptionKey:
        """The key to encrypt with. Raises KeyringError."""
        self._look()
        if not self._keys:
            raise KeyringError(
                f"there is no encryption key in {self.folder}: put NAME.key, a file of {SIZE} bytes, there"
            )
        return next(reversed(self._keys.values()))

    def get(self, number: bytes) -> EncryptionKey | None:
        """The key with an id."""
        if number not in self._keys:
            self._look()
        return self._keys.get(number)

    def all(self) -> list[EncryptionKey]:
        """The keys, oldest first."""
        self._look()
        return list(self._keys.values())

    @property
    def unbound(self) -> EncryptionKey | None:
        """The one key of an installation from before, for as long as it has not been retired."""
        self._look()
        return self._unbound

    @property
    def identity(self) -> str:
        """Whose values these are. Raises KeyringError."""
        if not self._identity:
            self._look()
        if not self._identity:
            raise KeyringError(f"{self.folder / IDENTITY} is missing: nothing can be decrypted without it; put it back")
        return self._identity

    def _look(self) -> None:
        """Read the files, if there are others than before. Raises KeyringError."""
        for attempt in range(3):
            try:
                seen = sorted(self._files())
                if seen != self._seen:
                    self._read([Path(str(path)) for path, *_ in seen])
                    self._seen = seen
                return
            except OSError as error:
                # A file that went between two steps was dropped or moved by another process: the next look is without it.
                if not isinstance(error, FileNotFoundError) or attempt == 2:
                    raise KeyringError(f"the encryption keys in {self.folder} cannot be read: {error}") from error

    def _files(self) -> list[tuple[str | int, ...]]:
        """Path, inode, mode, size and time of change of every file that counts."""
        found = [entry.path for entry in os.scandir(self.folder)] if self.folder.is_dir() else []
        wanted = [path for path in found if path.endswith((".key", f"/{IDENTITY}"))]
        if self._before.exists():
            wanted.append(str(self._before))
        return [(path, at.st_ino, at.st_mode, at.st_size, at.st_mtime_ns) for path in wanted for at in (os.stat(path),)]

    def _read(self, paths: list[Path]) -> None:
        identity = self.folder / IDENTITY
        named = identity.read_text().strip() if identity in paths else ""
        paths = sorted((path for path in paths if path != identity), key=lambda path: (path != self._before, path.name))
        # One that was copied under another name counts where it stands last.
        found = {key.id: key for key in map(_load, paths)}
        order = sorted(found.values(), key=lambda key: paths.index(key.path))
        self._identity = named
        self._unbound = _load(self._before) if self._before in paths else None
        self._keys = {key.id: key for key in order}

    # -- making and dropping -----------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what an installation needs, where it is missing. Raises KeyringError."""
        self._look()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not self._identity:
                write_private(self.folder / IDENTITY, f"{uuid.uuid4()}\n".encode())
        except OSError as error:
            raise KeyringError(f"{self.folder} cannot be written: {error.strerror}") from error
        if not self._keys:
            self.add()

    def add(self) -> EncryptionKey:
        """Make a new key, the newest from now on, whole and on the disk or not at all. Raises KeyringError."""
        key = os.urandom(SIZE)
        if (owner := self.folder.stat().st_uid) != os.geteuid():
            raise KeyringError(
                f"{self.folder} belongs to the user with the number {owner}: make a new key as that user"
            )
        names = [found.path.name for found in self.all() if found.path != self._before]
        path = self.folder / f"{max(map(_number, names), default=0) + 1:04}-{key_id(key).hex()}.key"
        if names and path.name < max(names):
            raise KeyringError(
                f"a new key {path.name} would not stand last in {self.folder}: give {max(names)} a lower name"
            )
        try:
            write_private(path, key)
        except OSError as error:
            raise KeyringError(f"{path} cannot be written: {error.strerror}") from error
        return self.newest()

    def retire(self) -> None:
        """Make the key of an installation from before one of the folder's, first in order: nothing unbound is left."""
        old = self.unbound
        if old is None:
            return
        try:
            if not any(key.id == old.id and key.path != self._before for key in self.all()):
                write_private(self.folder / f"0000-{old.id.hex()}.key", self._before.read_bytes())
            self._before.unlink()
        except OSError as error:
            raise KeyringError(f"{self._before} cannot be moved to {self.folder}: {error.strerror}") from error

    def drop(self, key: EncryptionKey) -> None:
        """Remove a key's file. Raises KeyringError."""
        try:
            key.path.unlink(missing_ok=True)
            _sync(key.path.parent)
        except OSError as error:
            raise KeyringError(f"{key.path} cannot be removed: {error.strerror}") from error


def key_id(key: bytes) -> bytes:
    """What a key is called: it tells nothing of the key."""
    return hashlib.blake2b(key, digest_size=8, person=b"binnacle key id").digest()


def _load(path: Path) -> EncryptionKey:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = path.read_bytes()
    if len(key) != SIZE:
        raise KeyringError(f"{path}: an encryption key has {SIZE} bytes, this file has {len(key)}")
    if path.stat().st_mode & 0o007:
        raise KeyringError(f"{path}: everybody on this machine may read this key, or replace it: chmod 600 {path}")
    return EncryptionKey(key_id(key), path, AESGCM(key))


def _number(name: str) -> int:
    first = name.partition("-")[0]
    return int(first) if first.isascii() and first.isdigit() else 0


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all, and on the disk when this returns."""
    scratch = path.with_name(path.name + ".new")
    with os.fdopen(os.open(scratch, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(path)
    _sync(path.parent)


def _sync(where: Path) -> None:
    handle = os.open(where, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

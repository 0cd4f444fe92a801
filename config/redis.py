"""The configuration of the installation's own key-value server, and its password, which only files have.

Whoever has the password may use queues, channels and scripts, and nothing that stops, empties, reconfigures or copies the
server.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from client.keyvalue import password_file
from cluster.keyring import write_private

# What Celery and the queues need: INFO is among the dangerous, but only tells.
RIGHTS = "+@all -@admin -@dangerous -function -script|flush -script|kill +info"


def socket(var: Path) -> Path:
    return var / "run" / "redis.sock"


def config_file(var: Path) -> Path:
    return var / "run" / "redis.conf"


def prepare(var: Path) -> None:
    """Write the configuration, and a password where there is none. Both are their owner's alone."""
    path = password_file(socket(var))
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32).encode())
    write_private(config_file(var), text(var, path.read_text().strip()).encode())


def text(var: Path, password: str) -> str:
    """The configuration. It has a digest of the password, which is random, and so not worth guessing at."""
    digest = hashlib.sha256(password.encode()).hexdigest()
    return (
        f'port 0\nunixsocket "{socket(var)}"\nunixsocketperm 600\ndir "{var}/run"\ndatabases 1\n'
        # It holds nothing that the store does not know.
        'save ""\nappendonly no\nmaxmemory 256mb\nmaxmemory-policy noeviction\nalways-show-logo no\n'
        f"user default on #{digest} ~* &* {RIGHTS}\n"
    )

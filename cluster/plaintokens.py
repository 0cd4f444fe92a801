"""Tokens that say nothing of themselves: static ones, by a file, and bootstrap tokens, by their Secrets."""

from __future__ import annotations

import base64
import csv
import hmac
from functools import lru_cache
from pathlib import Path
from typing import Any

from cluster.changes import Key
from cluster.configfile import Stamp
from kube import clock
from kube.objects import SYSTEM_NAMESPACE
from kube.users import AUTHENTICATED, User

BOOTSTRAP = "system:bootstrap:"  # how the name of a bootstrap token's user begins; the rest names its Secret


class StaticTokens:
    """The users of `tokens.csv`, as it is now or was a second ago."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._users: dict[str, User] = {}
        self._stamp = Stamp(path)

    def users(self) -> dict[str, User]:
        """User by token; empty without a file. Not to be changed."""
        if self._stamp.changed():
            try:
                self._users = read(self.path)
            except FileNotFoundError:
                self._users = {}
        return self._users


@lru_cache(maxsize=8)
def of_folder(pki: Path) -> StaticTokens:
    """The static tokens of a state folder's `pki/`."""
    return StaticTokens(pki / "tokens.csv")


def read(path: Path) -> dict[str, User]:
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


def bootstrap_key(token_id: str) -> Key:
    """Where the Secret of a bootstrap token is."""
    return Key("secrets", SYSTEM_NAMESPACE, f"bootstrap-token-{token_id}")


def bootstrap_user(token_id: str, secret: dict[str, Any], shown: str | None = None) -> User | None:
    """The user that a bootstrap token stands for, None when it does not now.

    `shown`: the secret half of the token, where somebody shows it; else the Secret alone is judged.
    """
    data = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
    if shown is not None and not hmac.compare_digest(data.get("token-secret", "").encode(), shown.encode()):
        return None
    if data.get("usage-bootstrap-authentication") != "true":
        return None
    if "expiration" in data and clock.parse(data["expiration"]) < clock.parse(clock.now()):
        return None
    groups = [g for g in data.get("auth-extra-groups", "").split(",") if g]
    return User(f"{BOOTSTRAP}{token_id}", groups=("system:bootstrappers", *groups, AUTHENTICATED))

"""Who makes a request: a name with groups, as authentication found it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"
UNAUTHENTICATED = "system:unauthenticated"
SERVICE_ACCOUNT = "system:serviceaccount:"  # followed by NAMESPACE:NAME


class User(str):
    """A user name (it is that string) with uid, groups and extra attributes."""

    uid: str
    groups: tuple[str, ...]
    extra: Mapping[str, list[str]]

    def __new__(
        cls, name: str, uid: str = "", groups: Iterable[str] = (), extra: Mapping[str, list[str]] | None = None
    ) -> User:
        self = super().__new__(cls, name)
        self.uid, self.groups, self.extra = uid, tuple(groups), extra or {}
        return self

    @property
    def name(self) -> str:
        return str(self)

    @property
    def is_master(self) -> bool:
        """Member of `system:masters`: allowed everything, whatever the roles say."""
        return MASTERS in self.groups

    def info(self) -> dict[str, Any]:
        """The `authentication.k8s.io/v1 UserInfo` of this user."""
        info: dict[str, Any] = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = dict(self.extra)
        return info


APISERVER = User("system:apiserver", groups=(MASTERS,))  # what an API server does of itself
ANONYMOUS = User("system:anonymous", groups=(UNAUTHENTICATED,))


def of(user: User | str) -> User:
    """A `User`; a plain string names a part of the control plane itself, which may do everything."""
    return user if isinstance(user, User) else User(user, groups=(MASTERS, AUTHENTICATED))


def credential(form: str, text: str) -> dict[str, list[str]]:
    """The extra attribute that says by which credential a user is known: `JTI` of a token, `X509SHA256`."""
    return {"authentication.kubernetes.io/credential-id": [f"{form}={text}"]}


def service_account(namespace: str, name: str, uid: str = "", extra: Mapping[str, list[str]] | None = None) -> User:
    """The user that a service account is."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return User(f"{SERVICE_ACCOUNT}{namespace}:{name}", uid, groups, extra)

"""Who may come in: a one-time token, a token of the API, or a Django account; and how often one may try.

A login leaves only the identity (name, uid, groups) in the session, never the token that proved it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.utils import timezone

from dashboard import api
from kube.users import AUTHENTICATED, MASTERS, User

if TYPE_CHECKING:
    from django.db.models import Manager

    from dashboard.models import LoginToken

ONE_TIME_LIFE = timedelta(minutes=15)
SESSION_LIFE = 12 * 3600  # seconds since the last page; a page that stays open keeps it alive
SESSION_KEY = "binnacle"
MAX_TOKEN = 16_384

TRIES, WINDOW = 10, 300.0  # failed logins per address in a window of seconds
MAX_ADDRESSES = 10_000


# -- one-time tokens -----------------------------------------------------------------------------------------------------


def issue_one_time_token(life: timedelta = ONE_TIME_LIFE) -> str:
    """Make a token that logs in once as an administrator who looks on. Only its hash is stored; returns the token."""
    tokens = _tokens()
    tokens.filter(expires__lt=timezone.now()).delete()
    token = "once-" + secrets.token_urlsafe(24)
    tokens.create(digest=_digest(token), expires=timezone.now() + life)
    return token


def _tokens() -> Manager[LoginToken]:
    from dashboard.models import LoginToken  # late: a model needs Django set up, which this module's tests do later

    return LoginToken.objects


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


# -- authentication ------------------------------------------------------------------------------------------------------


def by_token(token: str) -> User | None:
    """The user of a one-time token or of any token that the API accepts; raises `api.Unreachable` when that is down."""
    token = token.strip()
    if not token or len(token) > MAX_TOKEN or not token.isascii() or not token.isprintable():
        return None
    if token.startswith("once-"):
        # The deletion decides: of two that come with the same token, one finds the row.
        used, _ = _tokens().filter(digest=_digest(token), expires__gte=timezone.now()).delete()
        return User("one-time-login", groups=(MASTERS, AUTHENTICATED)) if used else None
    found = api.who_is(token)
    if found is None:
        return None
    return User(str(found.get("username") or ""), str(found.get("uid") or ""), found.get("groups") or ())


def by_account(request: Any, name: str, password: str) -> User | None:
    """The user of a Django account. Staff look on as administrators; others have the roles bound to their name."""
    account = authenticate(request, username=name[:150], password=password[:1_000])
    if account is None or not account.is_active:
        return None
    groups = (
        (MASTERS,) if account.is_staff or account.is_superuser else tuple(account.groups.values_list("name", flat=True))
    )
    # A Django group of such a name must not open the cluster's built-in doors.
    safe = tuple(g for g in groups if account.is_staff or account.is_superuser or not g.startswith("system:"))
    return User(account.get_username(), f"account-{account.pk}", (*safe, AUTHENTICATED))


# -- sessions ------------------------------------------------------------------------------------------------------------


def open_session(session: Any, user: User) -> None:
    """Put an identity into a fresh session (a new key, so that a planted one is worthless)."""
    session.flush()
    type(session).clear_expired()
    session[SESSION_KEY] = {"name": user.name, "uid": user.uid, "groups": list(user.groups), "at": time.time()}
    session.set_expiry(SESSION_LIFE)


def user_of(session: Any) -> User | None:
    """The identity in a session, None without one. An account that was disabled has none any more."""
    kept = session.get(SESSION_KEY)
    if not isinstance(kept, dict) or not kept.get("name"):
        return None
    uid = str(kept["uid"])
    if uid.startswith("account-"):
        accounts = get_user_model().objects.filter(pk=uid.removeprefix("account-"), is_active=True)
        if not accounts.exists():
            return None
    return User(kept["name"], kept["uid"], kept["groups"])


def user_of_key(session_key: str) -> User | None:
    """As `user_of`, for the key that a cookie holds. Blocking. Prolongs a session that is used."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = user_of(store)
    kept = store.get(SESSION_KEY)
    if user is not None and kept and time.time() - kept["at"] > SESSION_LIFE / 4:
        store[SESSION_KEY] = {**kept, "at": time.time()}
        store.set_expiry(SESSION_LIFE)
        store.save()
    return user


# -- how often one may try -----------------------------------------------------------------------------------------------


class Attempts:
    """Failed logins per address, in memory: at most `TRIES` in `WINDOW` seconds; remembers `MAX_ADDRESSES` addresses."""

    def __init__(self) -> None:
        self._failed: OrderedDict[str, list[float]] = OrderedDict()

    def wait(self, address: str) -> int:
        """Seconds until this address may try again; 0 when it may now."""
        recent = self._recent(address)
        return max(1, int(recent[0] + WINDOW - time.monotonic())) if len(recent) >= TRIES else 0

    def failed(self, address: str) -> None:
        self._failed[address] = [*self._recent(address), time.monotonic()][-TRIES:]
        self._failed.move_to_end(address)
        while len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)

    def succeeded(self, address: str) -> None:
        self._failed.pop(address, None)

    def _recent(self, address: str) -> list[float]:
        return [at for at in self._failed.get(address, ()) if time.monotonic() - at < WINDOW]


attempts = Attempts()

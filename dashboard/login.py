"""Who may come in: a one-time token, a token of the API, or a Django account. How often one may try: `attempts`.

A login leaves only the identity (name, uid, groups) in the session, never the token that proved it; of a static token,
which the API server knows by a file alone, a keyed digest, by which it is seen when it is taken out of that file.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

import environment
from cluster import plaintokens
from cluster.store import Key, Store
from dashboard import api
from kube.objects import Json
from kube.users import AUTHENTICATED, MASTERS, SERVICE_ACCOUNT, User

if TYPE_CHECKING:
    from django.db.models import Manager

    from dashboard.models import LoginToken

ONE_TIME_LIFE = timedelta(minutes=15)
SESSION_LIFE = 12 * 3600  # seconds since the last page; a page that stays open keeps it alive
SESSION_KEY = "binnacle"
ACCOUNT = "account-"  # how the uid of a Django account begins
MAX_TOKEN, MAX_NAME = 16_384, 150  # characters
UNFOLLOWED_LIFE = 900  # seconds, of a session whose token nobody here can see taken away


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


def unguessable(token: str) -> bool:
    """Whether trying tokens of this sort leads nowhere: 192 random bits, or a signature."""
    return token.startswith("once-") or token.count(".") == 2


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
    account = authenticate(request, username=name[:MAX_NAME], password=password[:1_000])
    return of_account(account) if account is not None and account.is_active else None


def of_account(account: Any) -> User:
    """The user that a Django account is."""
    staff = account.is_staff or account.is_superuser
    groups = (MASTERS,) if staff else tuple(account.groups.values_list("name", flat=True))
    # A Django group of such a name must not open the cluster's built-in doors.
    safe = tuple(group for group in groups if staff or not group.startswith("system:"))
    return User(account.get_username(), f"{ACCOUNT}{account.pk}", (*safe, AUTHENTICATED))


# -- sessions ------------------------------------------------------------------------------------------------------------


def open_session(session: Any, user: User, token: str = "") -> None:
    """Put an identity into a fresh session (a new key, so that a planted one is worthless).

    It lasts no longer than the `token` that proved it, and the pod, secret or node that this was made for.
    """
    session.flush()
    type(session).clear_expired()
    claims = _claims(token)
    until, static = claims.get("exp"), None
    if token and not unguessable(token) and not user.startswith(plaintokens.BOOTSTRAP):
        static = _keyed(token)
        if _of_static(static) is None:  # another API server's file
            until, static = time.time() + UNFOLLOWED_LIFE, None
    account = _account(user.uid)
    session[SESSION_KEY] = {
        "name": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "at": time.time(),
        "until": until,
        "static": static,
        "password": account.get_session_auth_hash() if account is not None else None,
        "bound": _bound(claims) if user.startswith(SERVICE_ACCOUNT) else None,
    }
    session.set_expiry(SESSION_LIFE)


def _bound(claims: Json) -> list[str] | None:
    """What a token of a service account was made for: storage, namespace, name, uid; a pod rather than its node."""
    private = claims.get("kubernetes.io") or {}
    for claim, storage in (("pod", "pods"), ("secret", "secrets"), ("node", "nodes")):
        if reference := private.get(claim):
            namespace = "" if claim == "node" else private.get("namespace", "")
            return [storage, namespace, reference.get("name", ""), reference.get("uid", "")]
    return None


def _claims(token: str) -> Json:
    """What a token says of itself; {} where it is no JSON Web Token. The API server has checked its signature."""
    try:
        _, payload, _ = token.split(".")
        found = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def user_of(session: Any) -> User | None:
    """Who a session is now; None without a session, and when its identity is gone: the account was disabled or has another
    password, the service account, the bootstrap token or what the token was made for deleted, the static token taken out of
    its file, the token's time is over. Blocking."""
    kept = session.get(SESSION_KEY)
    if not isinstance(kept, dict) or not kept.get("name"):
        return None
    name, uid = str(kept["name"]), str(kept["uid"])
    if uid.startswith(ACCOUNT):  # with the groups that it has now
        account = _account(uid)
        same = account is not None and constant_time_compare(
            account.get_session_auth_hash(), kept.get("password") or ""
        )
        return of_account(account) if same else None
    if (until := kept.get("until")) is not None and time.time() >= until:
        return None
    if static := kept.get("static"):  # with the name and the groups that the file gives it now
        return _of_static(static)
    if name.startswith(plaintokens.BOOTSTRAP):
        return _of_bootstrap(name.removeprefix(plaintokens.BOOTSTRAP))
    if name.startswith(SERVICE_ACCOUNT):
        namespace, _, account_name = name.removeprefix(SERVICE_ACCOUNT).partition(":")
        if not _stands(Key("serviceaccounts", namespace, account_name), uid):
            return None
    if (bound := kept.get("bound")) and not _stands(Key(*bound[:3]), bound[3]):
        return None
    return User(name, uid, kept["groups"])


def _stands(key: Key, uid: str) -> bool:
    """Whether that very object is there still, and nobody has deleted it."""
    found = Store.of(1).get(key)
    if found is None:
        return False
    meta = found.obj["metadata"]
    return meta.get("uid") == uid and not meta.get("deletionTimestamp")


def _account(uid: str) -> Any:
    """The Django account that a user is, None when it is none, or none that may come in."""
    if not uid.startswith(ACCOUNT):
        return None
    return get_user_model().objects.filter(pk=uid.removeprefix(ACCOUNT), is_active=True).first()


def _of_bootstrap(token_id: str) -> User | None:
    found = Store.of(1).get(plaintokens.bootstrap_key(token_id))
    return None if found is None else plaintokens.bootstrap_user(token_id, dict(found.obj))


def _of_static(digest: str) -> User | None:
    """The user of the static token with this digest, None when the file has none."""
    users = plaintokens.of_folder(environment.VAR.get() / "pki").users()
    return next((user for token, user in users.items() if constant_time_compare(_keyed(token), digest)), None)


def _keyed(token: str) -> str:
    return salted_hmac("dashboard.login.static", token, algorithm="sha256").hexdigest()


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

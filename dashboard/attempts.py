"""How often one may try a password: per account and address, with a delay that grows; for the dashboard and the admin.

A try is counted before it is judged, so that many at once are many; a good one takes the count away. The counts are rows
of the database: all processes of a dashboard share them, and a restart forgets none. There are at most `MOST` rows: beyond
that, those of names that nobody has go first, then those with the fewest tries, so that inventing names makes nothing of
a real account forgotten.

A token that nobody can guess is not counted: neither a one-time token nor a signed one.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction

if TYPE_CHECKING:
    from django.db.models import Manager
    from django.http import HttpRequest

    from dashboard.models import FailedLogin

FREE = 4  # failed tries that cost no delay
LONGEST = 900  # seconds; delays are 2, 4, 8 … up to this
FORGOTTEN = 4 * 3600  # seconds after the last try
MOST = 20_000  # rows
TOKEN = ""  # stands for the account where a static token of the API is tried


def address_of(request: HttpRequest) -> str:
    """Where a request comes from: the client as the trusted proxies tell it (see config.asgi)."""
    return str(request.META.get("REMOTE_ADDR", ""))


def begin(account: str, address: str) -> int:
    """Count a try. The seconds to wait before one is judged; 0: judge it, and say `succeeded` or `undone`. Blocking."""
    rows, now = _rows(), time.time()
    with transaction.atomic():
        row, made = rows.select_for_update().get_or_create(
            key=_key(account, address), defaults={"tries": 0, "open_at": 0.0, "at": now, "known": known(account)}
        )
        if now < row.open_at:
            return math.ceil(row.open_at - now)
        row.tries = 1 if now - row.at > FORGOTTEN else row.tries + 1
        row.at, row.open_at = now, now + _delay(row.tries)
        row.save()
        if made:
            _bound(now)
    return 0


def succeeded(account: str, address: str) -> None:
    """The last try was good: earlier ones are forgotten. Blocking."""
    _rows().filter(key=_key(account, address)).delete()


def undone(account: str, address: str) -> None:
    """The last try could not be judged: it does not count. Blocking."""
    with transaction.atomic():
        for row in _rows().select_for_update().filter(key=_key(account, address)):
            row.tries, row.open_at = max(row.tries - 1, 0), 0.0
            row.save()


def sentence(wait: int) -> str:
    """What somebody is told who has to wait."""
    span = f"{wait} s" if wait < 100 else f"{-(-wait // 60)} min"
    return f"Too many failed logins from your address. Please try again in {span}."


def _delay(tries: int) -> int:
    return 0 if tries <= FREE else min(1 << (tries - FREE), LONGEST)


def _rows() -> Manager[FailedLogin]:
    from dashboard.models import FailedLogin  # late: a model needs Django set up

    return FailedLogin.objects


def known(account: str) -> bool:
    """Whether there is such an account. Blocking."""
    return account == TOKEN or get_user_model().objects.filter(username=account).exists()


def _key(account: str, address: str) -> str:
    return hashlib.sha256(f"{network(address)} {account}".encode()).hexdigest()


def network(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which any host has to itself; an IPv4 address, mapped or not."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)


def _bound(now: float) -> None:
    rows = _rows()
    if rows.count() <= MOST:
        return
    rows.filter(at__lt=now - FORGOTTEN).delete()
    if (over := rows.count() - MOST) > 0:
        # A tenth at once, so that a flood does not pay for this each time.
        least = rows.order_by("known", "tries", "at").values_list("pk", flat=True)[: over + MOST // 10]
        rows.filter(pk__in=list(least)).delete()

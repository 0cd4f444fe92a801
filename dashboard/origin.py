"""Whether a request comes from our own page. Browsers send cookies with sockets and forms of foreign pages too.

Two proofs are asked for: the `Origin` must be ours, and the request must carry the page's ticket, which is derived from
the session and which only our page holds. Under `kubectl proxy` the address in the browser is not the one that arrives
here, so a loopback `Origin` counts as ours too; the ticket still decides.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def ticket(session_key: str) -> str:
    """The ticket of a session."""
    return salted_hmac("dashboard.origin", session_key, algorithm="sha256").hexdigest()


def ticket_fits(session_key: str | None, shown: str) -> bool:
    return bool(session_key) and constant_time_compare(ticket(str(session_key)), shown)


def origin_fits(origin: str | None, hosts: list[str]) -> bool:
    """Whether an Origin is one of the `hosts` that the request was sent to, a trusted one, or this machine."""
    if not origin:
        return False
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    trusted = {urlsplit(one).netloc for one in getattr(settings, "CSRF_TRUSTED_ORIGINS", ())}
    return parts.netloc in {host for host in hosts if host} | trusted or parts.hostname in LOOPBACK

"""Names that usually hold a credential (`DB_PASSWORD`, `clientSecret`), and how what they held is shown."""

from __future__ import annotations

import re
from functools import lru_cache

BULLETS = "••••••"
LONGEST = 254  # a longer word is nobody's name

_END = r"(?:[-_.]?(?:base64|b64|value|plain|text|\d{1,3}))?$"
# Long stems may follow anything (`PGPASSWORD`, `redispassword`); short ones must be a word of the name (not `compass`).
_NAME = re.compile(
    r"(?:passw(?:or)?d|passphrase|passcode|secret|token|credentials?|api[-_]?key|(?:access|account|auth|encryption|master"
    r"|private|secret|shared|signing|ssh|storage)[-_]?key|secret[-_]?key[-_]base|oauth2[-_]bearer|requirepass|(?:^|[-_.]|root|admin|bind)pw|(?:^|[-_./]|store|key)(?:pass|pwd|_auth))"
    + _END,
    re.IGNORECASE,
)
_CAMEL = re.compile(r"[a-z0-9](?:Pass|Pwd)" + _END)
_STEMS = ("pass", "pwd", "pw", "bearer", "secret", "token", "key", "credential", "auth")
_PLURAL = re.compile(r"(?:passwords|tokens|api_?keys)$", re.IGNORECASE)


@lru_cache(maxsize=4_096)  # the same few names come again and again
def is_credential_name(name: str) -> bool:
    """Whether a field, key, variable or flag of this name usually holds a credential."""
    if len(name) >= LONGEST or not any(stem in name.lower() for stem in _STEMS):
        return False
    return _NAME.search(name) is not None or _CAMEL.search(name) is not None


@lru_cache(maxsize=4_096)
def is_list_of_credentials(name: str) -> bool:
    """As `is_credential_name`, for a name whose value is a list."""
    return is_credential_name(name) or (len(name) < LONGEST and _PLURAL.search(name) is not None)


def mask(size: int) -> str:
    """What is shown instead of a value: that it is there, and that it changed its length."""
    return f"{BULLETS} ({size} bytes)"

"""The keys of an issuer of tokens, found by its OpenID configuration.

They are fetched when a token first needs them, again when one names a key that is not known, and once an hour. Tokens that
come meanwhile wait for the same answer; nobody makes this server ask more often than once in `PAUSE`.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from cluster.tokens import InvalidToken
from web.client import HttpSession

if TYPE_CHECKING:
    from apiserver.authn.configuration import Issuer

log = logging.getLogger(__name__)

PAUSE, AGE = 1.0, 3600.0  # seconds
TIMEOUT, MAX_ANSWER, MAX_KEYS = 10.0, 1 << 20, 200  # seconds, bytes, keys of one issuer
WELL_KNOWN = "/.well-known/openid-configuration"


class IssuerKeys:
    """Of one issuer; to be used in one event loop."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._keys: list[Any] = []  # jwt.PyJWK
        self._began = self._succeeded = float("-inf")  # of the last fetch; monotonic seconds
        self._why = ""
        self._gate = asyncio.Lock()
        self._tls = ssl.create_default_context(cadata=issuer.certificateAuthority or None)

    async def find(self, kid: str | None, kind: str, fresh: bool = False) -> list[Any]:
        """The keys (jwt.PyJWK) that may have signed a token: of that name, and of the type RSA or EC.

        `fresh`: those that are known did not. Raises InvalidToken when the issuer has never told its keys.
        """
        if fresh or time.monotonic() - self._succeeded > AGE:
            await self._refreshed()
        if not self._keys and self._why:
            raise InvalidToken(f"oidc: fetching keys: {self._why}")
        return [key for key in self._keys if key.key_type == kind and (kid is None or key.key_id in (kid, None))]

    async def _refreshed(self) -> None:
        """Fetch, unless somebody has begun to do so since."""
        asked = time.monotonic()
        async with self._gate:
            if self._began >= asked:
                return
            await asyncio.sleep(self._began + PAUSE - time.monotonic())
            self._began = time.monotonic()
            try:
                self._keys = await self._fetch()
            except (OSError, ValueError) as error:
                self._why = str(error) or type(error).__name__
                log.error("the keys of the issuer %s cannot be had: %s", self.issuer.url, self._why)
            else:
                self._why, self._succeeded = "", time.monotonic()

    async def _fetch(self) -> list[Any]:
        where = self.issuer.discoveryURL or self.issuer.url.rstrip("/") + WELL_KNOWN
        configuration = await self._get(where)
        if configuration.get("issuer") != self.issuer.url:
            raise ValueError(
                f"oidc: issuer did not match the issuer returned by provider, expected {self.issuer.url!r} "
                f"got {str(configuration.get('issuer'))[:1_000]!r}"
            )
        uri = configuration.get("jwks_uri")
        if not isinstance(uri, str) or urlsplit(uri).scheme != "https":
            raise ValueError(f"{where} names no jwks_uri with https")
        listed = (await self._get(uri)).get("keys")
        return usable(listed if isinstance(listed, list) else [])

    async def _get(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        session = HttpSession(
            f"https://{parts.netloc}", tls=self._tls, connections=1, timeout=TIMEOUT, limit=MAX_ANSWER
        )
        try:
            answer = await session.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        except OSError as error:
            raise OSError(f"Get {url!r}: {error or type(error).__name__}") from error
        finally:
            session.close()
        if answer.status != 200:
            raise ValueError(f"{url} answers {answer.status}")
        found = orjson.loads(answer.body)
        if not isinstance(found, dict):
            raise ValueError(f"{url} answers no JSON object")
        return found


def usable(listed: list[Any]) -> list[Any]:
    """The keys of a set that may verify signatures, as jwt.PyJWK: RSA and EC; what else is in the set is left out."""
    from jwt import PyJWK, PyJWTError

    found = []
    for described in listed[:MAX_KEYS]:
        if not isinstance(described, dict) or described.get("kty") not in ("RSA", "EC"):
            continue
        if described.get("use", "sig") != "sig" or "d" in described:
            continue
        try:
            found.append(PyJWK.from_dict(described))
        except (PyJWTError, ValueError, TypeError) as error:
            log.warning("a key of a set cannot be used: %s", error)
    return found

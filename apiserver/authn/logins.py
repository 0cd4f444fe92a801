"""Whose tokens are good here, beside our own, and what one may ask without any: from options, or a file that may change."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apiserver.authn import expressions
from apiserver.authn.configuration import (
    ALGORITHMS,
    Anonymous,
    AuthenticationConfiguration,
    JWTAuthenticator,
    check_authenticator,
    load,
    of_options,
)
from apiserver.authn.oidc import Login
from cluster.configfile import Stamp, refuse

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """`oidc`: by the option's name behind `oidc_`; empty without `--oidc-issuer-url`."""

    file: Path | None = None
    oidc: dict[str, Any] | None = None
    anonymous: bool | None = None


class Logins:
    """The issuers of users' tokens. `taken`: the issuers of service accounts, which are nobody else's."""

    def __init__(self, options: Options | None = None, taken: Collection[str] = ()) -> None:
        """Raises ValueError, OSError for what is wrong."""
        options = options or Options()
        self._taken, self._file, self._by_issuer = taken, options.file, dict[str, Login]()
        self._default = self._anonymous = Anonymous(enabled=options.anonymous is not False)
        if options.file is None:
            if options.oidc:
                self._use_options(options.oidc)
            return
        if options.oidc:
            raise ValueError("--authentication-config and --oidc-issuer-url are two ways to say the same: give one")
        self._stamp = Stamp(options.file)
        self._stamp.changed()
        found = load(options.file, taken, expressions.compiles)
        if options.anonymous is not None and found.anonymous is not None:
            raise ValueError("--anonymous-auth cannot be given where the file of --authentication-config says it")
        self._use(found)

    def of(self, issuer: str | None) -> Login | None:
        """The issuer of that name."""
        self._look()
        return self._by_issuer.get(issuer) if issuer else None

    def anonymous(self, path: str) -> bool:
        """Whether a request without credentials may ask for a path at all."""
        self._look()
        return self._anonymous.allows(path)

    def _look(self) -> None:
        if self._file is None or not self._stamp.changed():
            return
        try:
            self._use(load(self._file, self._taken, expressions.compiles))
        except ValueError as error:
            log.error("the configuration of authentication stays as it was: %s", error)
        else:
            log.info("the configuration of authentication is read again: %s", self._file)

    def _use(self, found: AuthenticationConfiguration) -> None:
        self._by_issuer = {jwt.issuer.url: self._login(jwt) for jwt in found.jwt}
        self._anonymous = found.anonymous or self._default

    def _login(self, config: JWTAuthenticator) -> Login:
        before = self._by_issuer.get(config.issuer.url)
        same = before is not None and before.config.issuer == config.issuer
        return Login(config, before.keys if before is not None and same else None)

    def _use_options(self, given: dict[str, Any]) -> None:
        algorithms = tuple(given.get("signing_algs") or ("RS256",))
        if unknown := set(algorithms) - set(ALGORITHMS):
            raise ValueError(f"--oidc-signing-algs: {min(unknown)!r} is none of {', '.join(ALGORITHMS)}")
        config = of_options(given)
        refuse("--oidc-issuer-url", list(check_authenticator(config, "jwt", self._taken, expressions.compiles)))
        self._by_issuer = {config.issuer.url: Login(config, algorithms=algorithms)}

"""Users by the tokens of other issuers (OpenID Connect): the signature, then what the claims become."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeGuard

import orjson

from apiserver.authn import expressions
from apiserver.authn.configuration import ALGORITHMS, JWTAuthenticator, PrefixedClaimOrExpression
from apiserver.authn.issuerkeys import IssuerKeys
from cluster.tokens import InvalidToken
from kube.objects import Json
from kube.users import AUTHENTICATED, User, credential

LEEWAY = 300.0  # seconds before `nbf` from which a token counts, as in go-oidc
REMEMBERED, MEMO_LIMIT = 10.0, 1_000  # seconds for which a token need not be checked again; tokens


class Known(NamedTuple):
    user: User
    until: float  # epoch seconds


class Login:
    """The tokens of one issuer."""

    def __init__(
        self, config: JWTAuthenticator, keys: IssuerKeys | None = None, algorithms: Sequence[str] = ALGORITHMS
    ) -> None:
        self.config, self.algorithms = config, algorithms
        self.keys = keys or IssuerKeys(config.issuer)
        self._memo: dict[str, Known] = {}

    async def user(self, token: str) -> User:
        """Whose a token of this issuer is. Raises InvalidToken."""
        known = self._memo.get(token)
        if known is None or time.time() >= known.until:
            claims = await self._verified(token)
            known = Known(user_of(self.config, claims), min(claims["exp"], time.time() + REMEMBERED))
            if len(self._memo) >= MEMO_LIMIT:
                self._memo.clear()
            self._memo[token] = known
        return known.user

    async def _verified(self, token: str) -> Json:
        from jwt import PyJWS, PyJWTError

        jws = PyJWS()
        try:
            header = jws.get_unverified_header(token)
            claims = orjson.loads(jws.decode_complete(token, options={"verify_signature": False})["payload"])
        except (PyJWTError, ValueError) as error:
            raise InvalidToken(f"oidc: malformed jwt: {error}") from error
        algorithm = header.get("alg")
        if not isinstance(claims, dict) or not isinstance(algorithm, str):
            raise InvalidToken("oidc: malformed jwt: header and claims are JSON objects")
        if algorithm not in self.algorithms:
            raise InvalidToken(
                f"oidc: id token signed with unsupported algorithm, expected {self.algorithms} got {algorithm}"
            )
        # Before the signature: what is wrong anyway must not make this server ask for keys.
        self._check(claims)
        kid, kind = header.get("kid"), "EC" if algorithm[:2] == "ES" else "RSA"
        for fresh in (False, True):
            for key in await self.keys.find(kid if isinstance(kid, str) else None, kind, fresh):
                try:
                    jws.decode(token, key.key, [algorithm])
                except (PyJWTError, TypeError, ValueError):
                    continue
                return claims
        raise InvalidToken("oidc: verify token: failed to verify signature: no key of the issuer has made it")

    def _check(self, claims: Json) -> None:
        issuer, now = self.config.issuer, time.time()
        if claims.get("iss") != issuer.url:
            raise InvalidToken("oidc: verify token: oidc: id token issued by a different provider")
        audience = claims.get("aud")
        named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        if not any(wanted in named for wanted in issuer.audiences):
            raise InvalidToken(f"oidc: verify token: oidc: expected audience in {list(issuer.audiences)} got {named}")
        expires, start = claims.get("exp"), claims.get("nbf", 0)
        if not _is_number(expires) or not _is_number(start):
            raise InvalidToken("oidc: verify token: exp and nbf are seconds since 1970")
        if now > expires:
            raise InvalidToken("oidc: verify token: oidc: token is expired")
        if now + LEEWAY < start:
            raise InvalidToken("oidc: verify token: oidc: current time is before the nbf (not before) time")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def user_of(config: JWTAuthenticator, claims: Json) -> User:
    """What the claims of a good token become. Raises InvalidToken."""
    mappings = config.claimMappings
    name = _username(mappings.username, claims)
    groups = _groups(mappings.groups, claims)
    uid = _text(mappings.uid.claim, claims, "uid") if mappings.uid.claim else ""
    if mappings.uid.expression:
        uid = _string(expressions.value(mappings.uid.expression, "claims", claims), "uid")
    extra = credential("JTI", claims["jti"]) if isinstance(claims.get("jti"), str) and claims["jti"] else {}
    for mapping in mappings.extra:
        if values := _strings(expressions.value(mapping.valueExpression, "claims", claims), f"extra {mapping.key}"):
            extra[mapping.key] = values
    _check_claims(config, claims)
    user = User(name, uid, groups, extra)
    info = {"uid": "", "groups": [], "extra": {}, **user.info()}
    for rule in config.userValidationRules:
        _must_hold(rule.expression, rule.message, "user", info)
    return User(name, uid, (*groups, AUTHENTICATED) if AUTHENTICATED not in groups else groups, extra)


def _username(mapping: PrefixedClaimOrExpression, claims: Json) -> str:
    if mapping.expression:
        name = _string(expressions.value(mapping.expression, "claims", claims), "username")
        if not name:
            raise InvalidToken("oidc: empty username via CEL expression is not allowed")
        return name
    name = _text(mapping.claim, claims, "username")
    if mapping.claim == "email" and claims.get("email_verified", True) is not True:
        raise InvalidToken("oidc: email not verified")
    if not name:
        raise InvalidToken(f"oidc: the claim {mapping.claim!r} is empty, and cannot be a username")
    return (mapping.prefix or "") + name


def _groups(mapping: PrefixedClaimOrExpression, claims: Json) -> list[str]:
    if mapping.expression:
        return _strings(expressions.value(mapping.expression, "claims", claims), "groups")
    value = claims.get(mapping.claim) if mapping.claim else None
    return [(mapping.prefix or "") + group for group in _strings(value, f"parse groups claim {mapping.claim!r}")]


def _check_claims(config: JWTAuthenticator, claims: Json) -> None:
    for rule in config.claimValidationRules:
        if rule.expression:
            _must_hold(rule.expression, rule.message, "claims", claims)
            continue
        if rule.claim not in claims:
            raise InvalidToken(f"oidc: required claim {rule.claim} not present in ID token")
        if (given := _text(rule.claim, claims, "")) != rule.requiredValue:
            raise InvalidToken(
                f"oidc: required claim {rule.claim} value does not match. Got = {given}, want = {rule.requiredValue}"
            )


def _must_hold(expression: str, message: str, variable: str, value: Json) -> None:
    if expressions.value(expression, variable, value) is not True:
        raise InvalidToken(f"oidc: validation expression '{expression}' failed: {message}")


def _text(claim: str, claims: Json, what: str) -> str:
    if claim not in claims:
        raise InvalidToken(f"oidc: parse {what} claims {claim!r}: claim not present")
    if not isinstance(claims[claim], str):
        raise InvalidToken(f"oidc: parse {what} claims {claim!r}: it is no string")
    return str(claims[claim])


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidToken(f"oidc: error evaluating {what} claim expression: it is no string")
    return value


def _strings(value: Any, what: str) -> list[str]:
    """A string, several, or none; empty ones are none."""
    values = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(values, list | tuple) or not all(isinstance(one, str) for one in values):
        raise InvalidToken(f"oidc: {what}: it is neither a string nor a list of strings")
    return [one for one in values if one]

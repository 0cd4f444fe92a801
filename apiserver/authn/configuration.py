"""The file of --authentication-config: who else issues tokens for users, and what anonymous requests may ask for.

apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer: {url: https://login.example, audiences: [kubernetes]}
  claimMappings:
    username: {claim: email, prefix: ""}
    groups: {claim: groups, prefix: "oidc:"}
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from cluster.configfile import Struct, parsed, read, refuse
from kube.errors import FieldError, duplicate, invalid, required, too_many
from kube.validation import check_domain_path

MAX_ISSUERS = 64
ALGORITHMS = ("ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
# Whether an expression in CEL, about these variables, is one: raises ValueError.
Compile = Callable[[str, str], object]


class Issuer(Struct, frozen=True):
    url: str = ""
    discoveryURL: str = ""
    certificateAuthority: str = ""
    audiences: tuple[str, ...] = ()
    audienceMatchPolicy: str = ""
    egressSelectorType: Literal["", "controlplane", "cluster"] = ""


class ClaimValidationRule(Struct, frozen=True):
    claim: str = ""
    requiredValue: str = ""
    expression: str = ""
    message: str = ""


class ClaimOrExpression(Struct, frozen=True):
    claim: str = ""
    expression: str = ""


class PrefixedClaimOrExpression(Struct, frozen=True):
    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class ExtraMapping(Struct, frozen=True):
    key: str = ""
    valueExpression: str = ""


class ClaimMappings(Struct, frozen=True):
    username: PrefixedClaimOrExpression = PrefixedClaimOrExpression()
    groups: PrefixedClaimOrExpression = PrefixedClaimOrExpression()
    uid: ClaimOrExpression = ClaimOrExpression()
    extra: tuple[ExtraMapping, ...] = ()


class UserValidationRule(Struct, frozen=True):
    expression: str = ""
    message: str = ""


class JWTAuthenticator(Struct, frozen=True):
    issuer: Issuer = Issuer()
    claimValidationRules: tuple[ClaimValidationRule, ...] = ()
    claimMappings: ClaimMappings = ClaimMappings()
    userValidationRules: tuple[UserValidationRule, ...] = ()


class AnonymousCondition(Struct, frozen=True):
    path: str


class Anonymous(Struct, frozen=True):
    enabled: bool
    conditions: tuple[AnonymousCondition, ...] = ()

    def allows(self, path: str) -> bool:
        """Whether a request without credentials may ask for this path."""
        return self.enabled and (not self.conditions or any(known.path == path for known in self.conditions))


class AuthenticationConfiguration(Struct, frozen=True):
    apiVersion: Literal[
        "apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1alpha1"
    ]
    kind: Literal["AuthenticationConfiguration"]
    jwt: tuple[JWTAuthenticator, ...] = ()
    anonymous: Anonymous | None = None


def load(path: Path, taken: Collection[str], compiles: Compile) -> AuthenticationConfiguration:
    """The configuration in a file. Raises ValueError, which says what is wrong where."""
    found = read(AuthenticationConfiguration, parsed(path), str(path))
    refuse(str(path), check(found, taken, compiles))
    return found


def check(found: AuthenticationConfiguration, taken: Collection[str], compiles: Compile) -> list[FieldError]:
    """What is wrong. `taken`: the issuers of service accounts."""
    if len(found.jwt) > MAX_ISSUERS:
        return [too_many("jwt", len(found.jwt), MAX_ISSUERS)]
    errors: list[FieldError] = []
    for at, jwt in enumerate(found.jwt):
        errors += check_authenticator(jwt, f"jwt[{at}]", taken, compiles)
    errors += _duplicates("jwt", "issuer.url", [jwt.issuer.url for jwt in found.jwt])
    errors += _duplicates("jwt", "issuer.discoveryURL", [jwt.issuer.discoveryURL for jwt in found.jwt])
    if found.anonymous and not found.anonymous.enabled and found.anonymous.conditions:
        paths = [{"path": condition.path} for condition in found.anonymous.conditions]
        errors.append(
            invalid("anonymous.conditions", paths, "enabled should be set to true when conditions are defined")
        )
    return errors


def check_authenticator(
    jwt: JWTAuthenticator, path: str, taken: Collection[str], compiles: Compile
) -> list[FieldError]:
    """What is wrong with one issuer and what its claims become."""
    return [
        *_check_issuer(jwt.issuer, f"{path}.issuer", taken),
        *_check_rules(jwt.claimValidationRules, f"{path}.claimValidationRules", compiles),
        *_check_mappings(jwt, f"{path}.claimMappings", compiles),
        *_check_user_rules(jwt.userValidationRules, f"{path}.userValidationRules", compiles),
    ]


def _duplicates(path: str, field: str, values: Sequence[str]) -> Iterator[FieldError]:
    for at, value in enumerate(values):
        if value and value in values[:at]:
            yield duplicate(f"{path}[{at}].{field}", value)


def _check_issuer(issuer: Issuer, path: str, taken: Collection[str]) -> Iterator[FieldError]:
    if not issuer.url:
        yield required(f"{path}.url")
    else:
        yield from _check_url(issuer.url, f"{path}.url", taken)
    if issuer.discoveryURL:
        if issuer.discoveryURL.rstrip("/") == issuer.url.rstrip("/"):
            yield invalid(f"{path}.discoveryURL", issuer.discoveryURL, "discoveryURL must be different from URL")
        yield from _check_url(issuer.discoveryURL, f"{path}.discoveryURL", ())
    yield from _check_audiences(issuer, path)
    try:
        if issuer.certificateAuthority:
            ssl.create_default_context(cadata=issuer.certificateAuthority)
    except (ssl.SSLError, ValueError) as error:
        yield invalid(f"{path}.certificateAuthority", "<omitted>", f"no certificate in PEM form: {error}")


def _check_url(url: str, path: str, taken: Collection[str]) -> Iterator[FieldError]:
    if url in taken:
        yield invalid(path, url, f"URL must not overlap with disallowed issuers: {sorted(taken)}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        yield invalid(path, url, str(error))
        return
    if parts.scheme != "https" or not parts.hostname:
        yield invalid(path, url, "URL scheme must be https")
    if parts.username is not None or parts.password is not None:
        yield invalid(path, url, "URL must not contain a username or password")
    if parts.query:
        yield invalid(path, url, "URL must not contain a query")
    if parts.fragment:
        yield invalid(path, url, "URL must not contain a fragment")


def _check_audiences(issuer: Issuer, path: str) -> Iterator[FieldError]:
    if not issuer.audiences:
        yield required(f"{path}.audiences", f"at least one {path}.audiences is required")
        return
    for at, audience in enumerate(issuer.audiences):
        if not audience:
            yield required(f"{path}.audiences[{at}]")
        elif audience in issuer.audiences[:at]:
            yield duplicate(f"{path}.audiences[{at}]", audience)
    policy = issuer.audienceMatchPolicy
    if len(issuer.audiences) > 1 and policy != "MatchAny":
        yield invalid(
            f"{path}.audienceMatchPolicy", policy, "audienceMatchPolicy must be MatchAny for multiple audiences"
        )
    elif policy not in ("", "MatchAny"):
        yield invalid(
            f"{path}.audienceMatchPolicy", policy, "audienceMatchPolicy must be empty or MatchAny for single audience"
        )


def _check_rules(rules: Sequence[ClaimValidationRule], path: str, compiles: Compile) -> Iterator[FieldError]:
    yield from _duplicates(path, "claim", [rule.claim for rule in rules])
    yield from _duplicates(path, "expression", [rule.expression for rule in rules])
    for at, rule in enumerate(rules):
        here = f"{path}[{at}]"
        if rule.claim and rule.expression:
            yield invalid(here, rule.claim, "claim and expression can't both be set")
        elif rule.claim:
            if rule.message:
                yield invalid(f"{here}.message", rule.message, "may not be specified when claim is set")
        elif rule.expression:
            if rule.requiredValue:
                yield invalid(
                    f"{here}.requiredValue", rule.requiredValue, "may not be specified when expression is set"
                )
            yield from _check_expression(rule.expression, f"{here}.expression", "claims", compiles)
        else:
            yield required(here, "claim or expression is required")


def _check_mappings(jwt: JWTAuthenticator, path: str, compiles: Compile) -> Iterator[FieldError]:
    mappings = jwt.claimMappings
    yield from _check_prefixed(mappings.username, f"{path}.username", compiles)
    if not mappings.username.claim and not mappings.username.expression:
        yield required(f"{path}.username", "claim or expression is required")
    yield from _check_prefixed(mappings.groups, f"{path}.groups", compiles)
    if mappings.uid.claim and mappings.uid.expression:
        yield invalid(f"{path}.uid", "", "claim and expression can't both be set")
    elif mappings.uid.expression:
        yield from _check_expression(mappings.uid.expression, f"{path}.uid.expression", "claims", compiles)
    yield from _duplicates(f"{path}.extra", "key", [extra.key for extra in mappings.extra])
    for at, extra in enumerate(mappings.extra):
        yield from _check_extra(extra, f"{path}.extra[{at}]", compiles)
    looked_at = [extra.valueExpression for extra in mappings.extra]
    looked_at += [mappings.username.expression, *(rule.expression for rule in jwt.claimValidationRules)]
    if _EMAIL.search(mappings.username.expression) and not any(map(_VERIFIED.search, looked_at)):
        yield invalid(
            f"{path}.username.expression",
            mappings.username.expression,
            "claims.email_verified must be used in claimMappings.username.expression or "
            "claimMappings.extra[*].valueExpression or claimValidationRules[*].expression "
            "when claims.email is used in claimMappings.username.expression",
        )


_EMAIL, _VERIFIED = re.compile(r"\bclaims\s*\.\s*\??email\b"), re.compile(r"\bclaims\s*\.\s*\??email_verified\b")


def _check_prefixed(mapping: PrefixedClaimOrExpression, path: str, compiles: Compile) -> Iterator[FieldError]:
    if mapping.expression and mapping.claim:
        yield invalid(path, "", "claim and expression can't both be set")
    elif mapping.expression:
        if mapping.prefix is not None:
            yield invalid(f"{path}.prefix", mapping.prefix, "may not be specified when expression is set")
        yield from _check_expression(mapping.expression, f"{path}.expression", "claims", compiles)
    elif mapping.claim and mapping.prefix is None:
        yield required(
            f"{path}.prefix",
            "prefix is required when claim is set. It can be set to an empty string to disable prefixing",
        )


def _check_extra(extra: ExtraMapping, path: str, compiles: Compile) -> Iterator[FieldError]:
    yield from check_domain_path(f"{path}.key", extra.key)
    domain = extra.key.partition("/")[0]
    if extra.key != extra.key.lower():
        yield invalid(f"{path}.key", extra.key, "must be lowercase")
    if f".{domain}".endswith((".kubernetes.io", ".k8s.io")):
        yield invalid(
            f"{path}.key", extra.key, "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
        )
    if not extra.valueExpression:
        yield required(f"{path}.valueExpression")
    else:
        yield from _check_expression(extra.valueExpression, f"{path}.valueExpression", "claims", compiles)


def _check_user_rules(rules: Sequence[UserValidationRule], path: str, compiles: Compile) -> Iterator[FieldError]:
    yield from _duplicates(path, "expression", [rule.expression for rule in rules])
    for at, rule in enumerate(rules):
        if not rule.expression:
            yield required(f"{path}[{at}].expression")
        else:
            yield from _check_expression(rule.expression, f"{path}[{at}].expression", "user", compiles)


def _check_expression(expression: str, path: str, variable: str, compiles: Compile) -> Iterator[FieldError]:
    try:
        compiles(expression, variable)
    except ValueError as error:
        yield invalid(path, expression, f"compilation failed: {error}")


def of_options(options: dict[str, Any]) -> JWTAuthenticator:
    """What the options `--oidc-…` say, in the form of the file. Raises ValueError, OSError.

    Keys are those after `oidc_`; `username_prefix` is the issuer and # by default, but for the claim `email`.
    """
    claim = options.get("username_claim") or "sub"
    prefix = options.get("username_prefix") or ("" if claim == "email" else f"{options['issuer_url']}#")
    return JWTAuthenticator(
        issuer=Issuer(
            url=options["issuer_url"],
            audiences=(options["client_id"],) if options.get("client_id") else (),
            certificateAuthority=options["ca_file"].read_text() if options.get("ca_file") else "",
        ),
        claimValidationRules=tuple(
            ClaimValidationRule(claim=name, requiredValue=value)
            for name, value in _pairs(options.get("required_claim"))
        ),
        claimMappings=ClaimMappings(
            username=PrefixedClaimOrExpression(claim, "" if prefix == "-" else prefix),
            groups=PrefixedClaimOrExpression(options.get("groups_claim") or "", options.get("groups_prefix") or ""),
        ),
    )


def _pairs(given: Sequence[str] | None) -> Iterator[tuple[str, str]]:
    for text in given or ():
        for pair in text.split(","):
            name, equals, value = pair.partition("=")
            if not equals:
                raise ValueError(f"--oidc-required-claim: {pair!r} is not claim=value")
            yield name.strip(), value

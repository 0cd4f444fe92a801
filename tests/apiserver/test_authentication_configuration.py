"""The file of --authentication-config: what is refused, field by field, in the words of Kubernetes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from apiserver.authn import expressions
from apiserver.authn.configuration import AuthenticationConfiguration, check, load

GOOD: dict[str, Any] = {
    "issuer": {"url": "https://login.example", "audiences": ["a"]},
    "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
}
TAKEN = ["https://kubernetes.default.svc"]


def errors(*jwt: dict[str, Any], **more: Any) -> list[str]:
    whole = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": jwt, **more}
    found = check(msgspec.convert(whole, AuthenticationConfiguration), TAKEN, expressions.compiles)
    return [str(error) for error in found]


def issuer(**changed: Any) -> dict[str, Any]:
    return {**GOOD, "issuer": {**GOOD["issuer"], **changed}}


def mappings(**changed: Any) -> dict[str, Any]:
    return {**GOOD, "claimMappings": {**GOOD["claimMappings"], **changed}}


def rules(*given: dict[str, Any]) -> dict[str, Any]:
    return {**GOOD, "claimValidationRules": list(given)}


def test_nothing_is_wrong_with_a_good_one() -> None:
    assert errors() == errors(GOOD) == []
    assert errors(anonymous={"enabled": True, "conditions": [{"path": "/livez"}]}) == []
    assert errors(issuer(audiences=["a", "b"], audienceMatchPolicy="MatchAny", discoveryURL="https://other/doc")) == []
    assert errors(rules({"claim": "hd", "requiredValue": "x"}, {"expression": "claims.a == 'b'"})) == []


@pytest.mark.parametrize(
    ("jwt", "field", "words"),
    [
        ({}, "issuer.url", "Required value"),
        (issuer(url="http://login.example"), "issuer.url", "URL scheme must be https"),
        (issuer(url="https://u:p@login.example"), "issuer.url", "must not contain a username or password"),
        (issuer(url="https://login.example?a=b"), "issuer.url", "must not contain a query"),
        (issuer(url="https://login.example#a"), "issuer.url", "must not contain a fragment"),
        (issuer(url="https://login.example:x"), "issuer.url", "Port could not be cast"),
        (issuer(url=TAKEN[0]), "issuer.url", "must not overlap with disallowed issuers"),
        (issuer(discoveryURL="https://login.example/"), "issuer.discoveryURL", "must be different from URL"),
        (issuer(audiences=[]), "issuer.audiences", "Required value: at least one"),
        (issuer(audiences=[""]), "issuer.audiences[0]", "Required value"),
        (issuer(audiences=["a", "b"]), "issuer.audienceMatchPolicy", "must be MatchAny for multiple audiences"),
        (issuer(audienceMatchPolicy="All"), "issuer.audienceMatchPolicy", "must be empty or MatchAny"),
        (issuer(certificateAuthority="x"), "issuer.certificateAuthority", 'Invalid value: "<omitted>"'),
        ({"issuer": GOOD["issuer"]}, "claimMappings.username", "claim or expression is required"),
        (mappings(username={"claim": "sub"}), "claimMappings.username.prefix", "prefix is required when claim is set"),
        (mappings(groups={"claim": "g"}), "claimMappings.groups.prefix", "prefix is required when claim is set"),
        (mappings(username={"claim": "a", "expression": "b"}), "claimMappings.username", "can't both be set"),
        (
            mappings(username={"expression": "claims.s", "prefix": ""}),
            "claimMappings.username.prefix",
            "may not be specified",
        ),
        (
            mappings(username={"expression": "claims.email"}),
            "claimMappings.username.expression",
            "email_verified must be used",
        ),
        (mappings(username={"expression": "claims.("}), "claimMappings.username.expression", "compilation failed"),
        (mappings(uid={"claim": "a", "expression": "b"}), "claimMappings.uid", "can't both be set"),
        (mappings(extra=[{"key": "a", "valueExpression": "'b'"}]), "claimMappings.extra[0].key", "Invalid value"),
        (mappings(extra=[{"key": "A.org/b", "valueExpression": "'b'"}]), "claimMappings.extra[0].key", "lowercase"),
        (
            mappings(extra=[{"key": "x.k8s.io/b", "valueExpression": "'b'"}]),
            "claimMappings.extra[0].key",
            "reserved for",
        ),
        (mappings(extra=[{"key": "a.org/b"}]), "claimMappings.extra[0].valueExpression", "Required value"),
        (rules({}), "claimValidationRules[0]", "claim or expression is required"),
        (rules({"claim": "a", "expression": "b"}), "claimValidationRules[0]", "can't both be set"),
        (rules({"claim": "a", "message": "b"}), "claimValidationRules[0].message", "may not be specified when claim"),
        (rules({"claim": "a"}, {"claim": "a"}), "claimValidationRules[1].claim", "Duplicate value"),
        (
            rules({"expression": "true", "requiredValue": "b"}),
            "claimValidationRules[0].requiredValue",
            "when expression is",
        ),
        ({**GOOD, "userValidationRules": [{}]}, "userValidationRules[0].expression", "Required value"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(jwt: dict[str, Any], field: str, words: str) -> None:
    found = errors(jwt)
    assert any(error.startswith(f"jwt[0].{field}: ") and words in error for error in found), found


def test_an_issuer_is_there_once() -> None:
    assert errors(GOOD, GOOD) == ['jwt[1].issuer.url: Duplicate value: "https://login.example"']
    assert "Too many" in errors(*[issuer(url=f"https://x{at}") for at in range(65)])[0]


def test_conditions_are_for_anonymous_requests_that_are_allowed() -> None:
    found = errors(anonymous={"enabled": False, "conditions": [{"path": "/livez"}]})
    assert found[0].startswith("anonymous.conditions: ") and "enabled should be set to true" in found[0]


@pytest.mark.parametrize(
    "text", ["jwt: [", "[]", "apiVersion: v1\nkind: AuthenticationConfiguration", "kind: Other", "jwt: []", "odd: true"]
)
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"file\.yaml"):
        load(file, TAKEN, expressions.compiles)


def test_a_field_that_is_not_known_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwts: []\n")
    with pytest.raises(ValueError, match="jwts"):
        load(file, TAKEN, expressions.compiles)

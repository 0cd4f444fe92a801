"""Users by tokens of an issuer, over TLS: what of a token is checked, what its claims become, when keys are asked for."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest

from apiserver.authn import issuerkeys
from apiserver.authn.configuration import JWTAuthenticator
from apiserver.authn.oidc import Login
from cluster.tokens import InvalidToken
from config import kubectl
from kube.users import User
from tests.apiserver.issuer import Issuer, issuing
from tests.apiserver.standalone import Server
from tests.prepare import needs

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
MAPPINGS: dict[str, Any] = {
    "username": {"claim": "sub", "prefix": "oidc:"},
    "groups": {"claim": "groups", "prefix": "g:"},
    "uid": {"claim": "uid"},
}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuing(tmp_path_factory.mktemp("issuer")) as made:
        yield made


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuerkeys, "PAUSE", 0.0)


def login(issuer: Issuer, mappings: dict[str, Any] = MAPPINGS, **more: Any) -> Login:
    described = {
        "issuer": {
            "url": issuer.url,
            "audiences": ["kubernetes", "second"],
            "audienceMatchPolicy": "MatchAny",
            "certificateAuthority": issuer.ca.read_text(),
        },
        "claimMappings": mappings,
        **more,
    }
    return Login(msgspec.convert(described, JWTAuthenticator))


def user(known: Login, token: str) -> User:
    return asyncio.run(known.user(token))


def refused(known: Login, token: str) -> str:
    with pytest.raises(InvalidToken) as error:
        user(known, token)
    return str(error.value)


def test_a_token_becomes_a_user(issuer: Issuer) -> None:
    found = user(login(issuer), issuer.token(groups=["dev", "ops"], uid="7", jti="j", aud=["x", "second"]))
    assert found.info() == {
        "username": "oidc:ada",
        "uid": "7",
        "groups": ["g:dev", "g:ops", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": ["JTI=j"]},
    }


def test_groups_may_be_one_text_or_absent(issuer: Issuer) -> None:
    assert user(login(issuer), issuer.token(groups="dev", uid="7")).groups == ("g:dev", "system:authenticated")
    assert user(login(issuer), issuer.token(uid="7")).groups == ("system:authenticated",)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "other"}, "expected audience in"),
        ({"aud": None}, "expected audience in"),
        ({"aud": 5}, "expected audience in"),
        ({"exp": 1}, "token is expired"),
        ({"exp": None}, "exp and nbf are seconds"),
        ({"exp": True}, "exp and nbf are seconds"),
        ({"nbf": 1 << 40}, "before the nbf"),
        ({"iss": "https://other.example"}, "issued by a different provider"),
        ({"uid": None}, "'uid': claim not present"),
        ({"uid": 7}, "'uid': it is no string"),
        ({"sub": ""}, "is empty"),
        ({"sub": None}, "'sub': claim not present"),
        ({"groups": {"a": 1}}, "neither a string nor a list of strings"),
        ({"groups": [1]}, "neither a string nor a list of strings"),
    ],
    ids=str,
)
def test_claims_that_are_not_good(issuer: Issuer, claims: dict[str, Any], why: str) -> None:
    token = issuer.token(**{"uid": "7", **claims})
    assert why in refused(login(issuer), token)


def test_an_email_must_be_verified(issuer: Issuer) -> None:
    known = login(issuer, {"username": {"claim": "email", "prefix": ""}})
    assert user(known, issuer.token(email="a@x.org")) == "a@x.org"
    assert user(known, issuer.token(email="a@x.org", email_verified=True)) == "a@x.org"
    assert "email not verified" in refused(known, issuer.token(email="a@x.org", email_verified=False))


def test_required_claims(issuer: Issuer) -> None:
    known = login(issuer, claimValidationRules=[{"claim": "hd", "requiredValue": "x.org"}])
    assert user(known, issuer.token(uid="7", hd="x.org")) == "oidc:ada"
    assert "value does not match. Got = y.org, want = x.org" in refused(known, issuer.token(uid="7", hd="y.org"))
    assert "required claim hd not present" in refused(known, issuer.token(uid="7"))


def test_expressions_make_and_judge_users(issuer: Issuer) -> None:
    known = login(
        issuer,
        {
            "username": {"expression": "claims.sub + '@' + claims.org"},
            "groups": {"expression": "claims.roles.split(',')"},
            "uid": {"expression": "claims.id.number"},
            "extra": [{"key": "example.org/team", "valueExpression": "claims.team"}],
        },
        claimValidationRules=[{"expression": "claims.exp - claims.iat <= 7200", "message": "too long a life"}],
        userValidationRules=[{"expression": "!user.username.startsWith('system:')", "message": "reserved"}],
    )
    claims: dict[str, Any] = {"org": "x", "roles": "a,b", "id": {"number": "9"}, "team": ["red", ""]}
    claims["iat"] = int(time.time())
    found = user(known, issuer.token(**claims))
    assert (found, found.uid, found.groups) == ("ada@x", "9", ("a", "b", "system:authenticated"))
    assert found.extra == {"example.org/team": ["red"]}
    assert "too long a life" in refused(known, issuer.token(**claims | {"iat": 0}))
    assert "reserved" in refused(known, issuer.token(**claims, sub="system:masters"))
    assert "error evaluating" in refused(known, issuer.token(**claims | {"org": None}))


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "PS256", "RS512"])
def test_a_key_that_replaces_another_is_found(issuer: Issuer, algorithm: str) -> None:
    known = login(issuer)
    before = issuer.token(uid="7")
    assert user(known, before) == "oidc:ada"
    issuer.rotate(algorithm)
    assert user(known, issuer.token(uid="7")) == "oidc:ada"
    fresh = issuer.token(uid="8")
    del issuer.documents["/keys"]
    assert user(known, fresh) == "oidc:ada", "keys that are known are not asked for again"
    issuer.rotate()


def test_another_key_of_the_same_name_is_found(issuer: Issuer) -> None:
    known, kid = login(issuer), issuer.kid
    user(known, issuer.token(uid="7"))
    issuer.rotate()
    issuer.kid = kid
    issuer.publish(issuer.jwk())
    assert user(known, issuer.token(uid="7")) == "oidc:ada"


def test_what_is_wrong_anyway_asks_for_no_keys(issuer: Issuer) -> None:
    known = login(issuer)
    issuer.asked.clear()
    symmetric = jwt.encode({"iss": issuer.url}, b"secret" * 8, "HS256", {"kid": issuer.kid})
    for token in (issuer.token(aud="other"), issuer.token(exp=1), symmetric, "a.b.c"):
        refused(known, token)
    assert issuer.asked == []


def test_forged_tokens_do_not_make_the_server_ask_again_and_again(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = login(issuer)
    user(known, issuer.token(uid="7"))
    issuer.asked.clear()
    monkeypatch.setattr(issuerkeys, "PAUSE", 0.2)
    forged = [issuer.token({"kid": f"forged-{at}"}, uid="7") for at in range(50)]

    async def flood() -> list[BaseException | User]:
        return await asyncio.gather(*map(known.user, forged), return_exceptions=True)

    assert all(isinstance(answer, InvalidToken) for answer in asyncio.run(flood()))
    assert issuer.asked.count("/keys") == 1


@pytest.mark.parametrize(
    ("path", "document", "why"),
    [
        ("/.well-known/openid-configuration", None, "answers 404"),
        ("/.well-known/openid-configuration", {"issuer": "https://other"}, "issuer did not match"),
        ("/.well-known/openid-configuration", b"no json", "fetching keys"),
        ("/.well-known/openid-configuration", [], "answers no JSON object"),
        ("/keys", None, "answers 404"),
        ("/keys", b" " * (issuerkeys.MAX_ANSWER + 1), "fetching keys"),
        ("/keys", {"keys": "none"}, "no key of the issuer has made it"),
        (
            "/keys",
            {"keys": [None, 5, {}, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "n": 5}]},
            "no key of the issuer",
        ),
    ],
    ids=str,
)
def test_an_issuer_that_does_not_tell_its_keys(issuer: Issuer, path: str, document: Any, why: str) -> None:
    token = issuer.token(uid="7")
    before = dict(issuer.documents)
    issuer.documents[path] = document
    known = login(issuer)
    try:
        assert why in refused(known, token)
    finally:
        issuer.documents = before
    assert user(known, token) == "oidc:ada", "it is asked again"


def test_an_issuer_whose_certificate_is_of_another_authority(issuer: Issuer, tmp_path: Path) -> None:
    with issuing(tmp_path / "other") as other:
        known = login(issuer)
        known.keys = issuerkeys.IssuerKeys(
            msgspec.structs.replace(known.config.issuer, certificateAuthority=other.ca.read_text())
        )
        assert "certificate verify failed" in refused(known, issuer.token(uid="7"))


# -- a whole server


def ask(server: Server, token: str) -> Any:
    status, body = server.request("POST", WHO, {}, Authorization=f"Bearer {token}")
    return body["status"]["userInfo"] if status == 201 else status


def configuration(issuer: Issuer, prefix: str, **more: Any) -> str:
    authenticator = {
        "issuer": {
            "url": issuer.url,
            "audiences": ["kubernetes"],
            "certificateAuthority": issuer.ca.read_text(),
        },
        "claimMappings": {"username": {"claim": "sub", "prefix": prefix}, "groups": {"claim": "groups", "prefix": ""}},
    }
    return json.dumps(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": [authenticator],
            **more,
        }
    )


def until(found: Any) -> None:
    end = time.monotonic() + 30
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_file_of_configuration_is_read_again(issuer: Issuer, tmp_path: Path) -> None:
    file = tmp_path / "authentication.json"
    file.write_text(configuration(issuer, "first:"))
    with Server(tmp_path / "var", "--authentication-config", str(file)) as server:
        token = issuer.token()
        assert ask(server, token)["username"] == "first:ada"
        assert ask(server, issuer.token(exp=1)) == 401
        assert server.request("GET", "/version", Authorization="")[0] == 200
        file.write_text(
            configuration(issuer, "second:", anonymous={"enabled": True, "conditions": [{"path": "/livez"}]})
        )
        until(lambda: ask(server, token)["username"] == "second:ada")
        assert server.request("GET", "/version", Authorization="")[0] == 401
        assert server.request("GET", "/livez", Authorization="")[0] == 200
        file.write_text(configuration(issuer, "third:", jwt=[{}]))
        log = Path(server.log.name)
        until(lambda: ask(server, token) and "stays as it was" in log.read_text())
        assert "jwt[0].issuer.url: Required value" in log.read_text()
        assert ask(server, token)["username"] == "second:ada"
        assert ask(server, server.token)["username"] == "admin"


def test_kubectl_with_a_token_of_an_issuer(issuer: Issuer, tmp_path: Path) -> None:
    needs("kubectl")
    options = ["--oidc-issuer-url", issuer.url, "--oidc-client-id", "kubernetes", "--oidc-ca-file", str(issuer.ca)]
    options += ["--oidc-groups-claim", "groups", "--oidc-required-claim", "hd=x.org"]
    with Server(tmp_path / "var", *options) as server:
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers"}
        path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        server.request("POST", path, {"metadata": {"name": "readers"}, "roleRef": role, "subjects": [subject]})
        until(lambda: run(server, issuer.token(groups=["readers"], hd="x.org"), "get", "pods").returncode == 0)
        who = run(server, issuer.token(hd="x.org"), "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
        assert who.stdout == f"{issuer.url}#ada"
        denied = run(server, issuer.token(hd="x.org"), "get", "pods")
        assert f'User "{issuer.url}#ada" cannot list resource "pods"' in denied.stderr
        assert "Unauthorized" in run(server, issuer.token(hd="y.org"), "get", "pods").stderr


def run(server: Server, token: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(kubectl.find()),
        "--server",
        server.url,
        "--certificate-authority",
        server.ca,
        "--token",
        token,
        *words,
    ]
    environment = {"KUBECONFIG": "/dev/null", "HOME": str(server.var)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--oidc-client-id", "x"], "must be specified together"),
        (["--oidc-issuer-url", "http://x", "--oidc-client-id", "x"], "URL scheme must be https"),
        (["--oidc-issuer-url", "https://x"], "audiences: Required value"),
        (["--oidc-issuer-url", "https://x", "--oidc-client-id", "x", "--oidc-signing-algs", "HS256"], "HS256"),
        (["--oidc-issuer-url", "https://kubernetes.default.svc", "--oidc-client-id", "x"], "disallowed issuers"),
        (["--authentication-config", "/nonexistent"], "No such file"),
    ],
    ids=str,
)
def test_options_that_are_wrong_end_the_start(tmp_path: Path, arguments: list[str], why: str) -> None:
    with pytest.raises(AssertionError, match=why), Server(tmp_path / "var", *arguments):
        pass

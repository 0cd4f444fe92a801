"""Tokens of service accounts as clients and third parties meet them: what is in them, who checks them and how."""

from __future__ import annotations

import base64
import datetime
import http.client
import json
import ssl
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from apiserver.authn.authenticator import UID
from tests.apiserver.standalone import Server

ISSUER = "https://kubernetes.default.svc"
TOKENS = "/api/v1/namespaces/work/serviceaccounts/default/token"
WHO, REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews", "/apis/authentication.k8s.io/v1/tokenreviews"
NAME, UID_OF, CREDENTIAL = (f"authentication.kubernetes.io/{part}" for part in ("{}-name", "{}-uid", "credential-id"))


def made(server: Server, **spec: Any) -> dict[str, Any]:
    status, body = server.request("POST", TOKENS, {"spec": spec})
    assert status == 201, body
    return body


def token(server: Server, **spec: Any) -> str:
    return str(made(server, **spec)["status"]["token"])


def claims(text: str) -> dict[str, Any]:
    return jwt.decode(text, options={"verify_signature": False})


def who(server: Server, text: str) -> Any:
    status, body = server.request("POST", WHO, {}, Authorization=f"Bearer {text}")
    return body["status"]["userInfo"] if status == 201 else status


def pod(server: Server, name: str, **spec: Any) -> dict[str, Any]:
    body = {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}
    status, found = server.request("POST", "/api/v1/namespaces/work/pods", body)
    assert status == 201, found
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": found["metadata"]["uid"]}


def test_a_third_party_checks_a_token_by_the_published_documents(server: Server) -> None:
    status, configuration = server.request("GET", "/.well-known/openid-configuration")
    assert status == 200 and configuration["issuer"] == ISSUER
    assert configuration["jwks_uri"] == f"{server.url}/openid/v1/jwks"
    assert configuration["id_token_signing_alg_values_supported"] == ["ES256"]
    context = ssl.create_default_context(cafile=server.ca)
    client = jwt.PyJWKClient(configuration["jwks_uri"], headers=auth(server), ssl_context=context)
    text = token(server, audiences=["vault"])
    found = jwt.decode(text, client.get_signing_key_from_jwt(text).key, ["ES256"], audience="vault", issuer=ISSUER)
    assert found["sub"] == "system:serviceaccount:work:default"


def auth(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/.well-known/openid-configuration", "application/json"), ("/openid/v1/jwks", "application/jwk-set+json")],
)
def test_the_documents_are_for_service_accounts(server: Server, path: str, kind: str) -> None:
    connection = server.connection()
    connection.request("GET", path, headers={"Authorization": f"Bearer {token(server)}"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers.get_all("content-type")) == (200, [kind])
    assert answer.headers.get_all("cache-control") == ["public, max-age=3600"]
    connection.close()
    assert server.request("GET", path, Authorization="")[0] == 403
    assert server.request("POST", path, {})[0] == 405


def test_each_token_has_an_id_which_its_user_shows(server: Server) -> None:
    first, second = token(server), token(server)
    ids = [claims(text)["jti"] for text in (first, second)]
    assert ids[0] != ids[1]
    assert who(server, first)["extra"] == {CREDENTIAL: [f"JTI={ids[0]}"]}


def test_a_token_bound_to_a_pod_tells_pod_and_node(server: Server) -> None:
    _, node = server.request("POST", "/api/v1/nodes", {"metadata": {"name": "told"}})
    reference = pod(server, "told", nodeName="told")
    text = token(server, boundObjectRef=reference)
    private = claims(text)["kubernetes.io"]
    assert private["pod"] == {"name": "told", "uid": reference["uid"]}
    assert private["node"] == {"name": "told", "uid": node["metadata"]["uid"]}
    extra = who(server, text)["extra"]
    assert extra[NAME.format("pod")] == ["told"] and extra[UID_OF.format("pod")] == [reference["uid"]]
    assert extra[NAME.format("node")] == ["told"] and extra[UID_OF.format("node")] == [node["metadata"]["uid"]]
    server.request("DELETE", "/api/v1/nodes/told")
    assert who(server, text)["extra"] == extra, "only the pod must be there: its node is told, and no more"
    server.request("DELETE", "/api/v1/namespaces/work/pods/told?gracePeriodSeconds=0")
    assert who(server, text) == 401


@pytest.mark.parametrize(("kind", "path"), [("Secret", "/api/v1/namespaces/work/secrets"), ("Node", "/api/v1/nodes")])
def test_a_token_ends_with_what_it_is_bound_to(server: Server, kind: str, path: str) -> None:
    for _ in range(2):
        _, body = server.request("POST", path, {"metadata": {"name": "bound"}})
        text = token(server, boundObjectRef={"apiVersion": "v1", "kind": kind, "name": "bound"})
        extra = who(server, text)["extra"]
        if kind == "Node":
            assert extra[NAME.format("node")] == ["bound"] and extra[UID_OF.format("node")] == [body["metadata"]["uid"]]
        else:
            assert set(extra) == {CREDENTIAL}
        server.request("DELETE", f"{path}/bound")
        assert who(server, text) == 401
        server.request("POST", path, {"metadata": {"name": "bound"}})
        assert who(server, text) == 401, "another object of that name"
        server.request("DELETE", f"{path}/bound")


def test_tokens_in_volumes_of_pods_live_on_while_they_are_warned_of(server: Server) -> None:
    reference = pod(server, "old-client")
    body = made(server, boundObjectRef=reference, expirationSeconds=3607)
    found = claims(body["status"]["token"])
    assert found["exp"] - found["iat"] == 365 * 24 * 3600
    assert found["kubernetes.io"]["warnafter"] - found["iat"] == 3607
    told = datetime.datetime.fromisoformat(body["status"]["expirationTimestamp"]).timestamp()
    assert told - found["iat"] == 3607
    others: list[dict[str, Any]] = [
        {"boundObjectRef": reference, "expirationSeconds": 3600},
        {"boundObjectRef": reference, "expirationSeconds": 3607, "audiences": ["vault"]},
        {"expirationSeconds": 3607},
    ]
    for spec in others:
        found = claims(token(server, **spec))
        assert found["exp"] - found["iat"] == spec["expirationSeconds"] and "warnafter" not in found["kubernetes.io"]


def test_a_request_for_a_token_names_its_own_account(server: Server) -> None:
    for field in ("name", "namespace"):
        status, body = server.request("POST", TOKENS, {"metadata": {field: "other"}, "spec": {}})
        assert status == 422 and body["details"]["causes"][0]["field"] == f"metadata.{field}"
    server.request("POST", "/api/v1/namespaces/work/serviceaccounts", {"metadata": {"name": "second"}})
    status, body = server.request(
        "POST", TOKENS, {"spec": {"boundObjectRef": pod(server, "another", serviceAccountName="second")}}
    )
    assert status == 400 and "different serviceaccount name" in body["message"]


def review(server: Server, text: str, *audiences: str) -> dict[str, Any]:
    spec = {"token": text, **({"audiences": list(audiences)} if audiences else {})}
    return server.request("POST", REVIEWS, {"spec": spec})[1]["status"]


def test_a_review_answers_with_the_audiences_that_both_name(server: Server) -> None:
    text = token(server, audiences=["vault", ISSUER, "x"])
    assert review(server, text)["audiences"] == [ISSUER]
    assert review(server, text, "x", "other", "vault")["audiences"] == ["vault", "x"]
    refused = review(server, text, "other")
    assert refused == {"user": {}, "error": refused["error"]}
    assert 'is invalid for the target audiences ["other"]' in refused["error"]


def test_a_static_token_is_for_this_api_and_has_a_uid(server: Server) -> None:
    found = review(server, server.token)
    assert found["audiences"] == [ISSUER] and found["user"]["uid"] == "admin-uid"
    assert review(server, server.token, "other", ISSUER)["audiences"] == [ISSUER]
    assert review(server, server.token, "other") == {"user": {}, "error": "invalid bearer token"}
    assert who(server, server.token)["uid"] == "admin-uid"


def test_an_account_that_is_gone_is_told_to_who_reviews(server: Server) -> None:
    path = "/api/v1/namespaces/work/serviceaccounts"
    server.request("POST", path, {"metadata": {"name": "brief"}})
    text = server.request("POST", f"{path}/brief/token", {})[1]["status"]["token"]
    assert review(server, text)["authenticated"]
    server.request("DELETE", f"{path}/brief")
    assert review(server, text)["error"] == '[invalid bearer token, serviceaccounts "brief" not found]'


def certificate(server: Server, folder: Path, *subject: tuple[x509.ObjectIdentifier, str]) -> ssl.SSLContext:
    """A context that presents a certificate of the cluster's authority with this subject."""
    pki = Path(server.ca).parent
    authority = x509.load_pem_x509_certificate((pki / "ca.crt").read_bytes())
    signing: Any = load_pem_private_key((pki / "ca.key").read_bytes(), None)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in subject]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(signing, hashes.SHA256())
    )
    file = folder / "client.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + made.public_bytes(Encoding.PEM))
    context = ssl.create_default_context(cafile=server.ca)
    context.load_cert_chain(file)
    context.fingerprint = made.fingerprint(hashes.SHA256()).hex()  # type: ignore[attr-defined]
    return context


def who_with(server: Server, context: ssl.SSLContext, text: str) -> Any:
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=60)
    sent = {"Content-Type": "application/json", "Authorization": f"Bearer {text}"}
    connection.request("POST", WHO, b"{}", sent)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return body["status"]["userInfo"] if answer.status == 201 else answer.status


UID_ATTRIBUTE = x509.ObjectIdentifier(UID)


def test_a_certificate_counts_before_a_token(server: Server, tmp_path: Path) -> None:
    subject = [(NameOID.COMMON_NAME, "bob"), (NameOID.ORGANIZATION_NAME, "a"), (UID_ATTRIBUTE, "u-1")]
    context = certificate(server, tmp_path, *subject)
    for text in (server.token, "wrong"):
        assert who_with(server, context, text) == {
            "username": "bob",
            "uid": "u-1",
            "groups": ["a", "system:authenticated"],
            "extra": {CREDENTIAL: [f"X509SHA256={context.fingerprint}"]},  # type: ignore[attr-defined]
        }


def test_a_certificate_with_two_uids_names_nobody(server: Server, tmp_path: Path) -> None:
    subject = [(NameOID.COMMON_NAME, "bob"), (UID_ATTRIBUTE, "u-1"), (UID_ATTRIBUTE, "u-2")]
    context = certificate(server, tmp_path, *subject)
    assert who_with(server, context, server.token)["username"] == "admin"
    assert who_with(server, context, "wrong") == 401


def test_issuers_keys_and_life_are_options(tmp_path: Path) -> None:
    old = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "old.pem"
    file.write_bytes(old.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    arguments = ["--service-account-issuer", "https://new.example", "--service-account-issuer", "https://old.example"]
    arguments += ["--service-account-key-file", str(file), "--service-account-jwks-uri", "https://keys.example/jwks"]
    arguments += ["--service-account-max-token-expiration", "3600", "--api-audiences", "api,second"]
    with Server(tmp_path / "var", *arguments) as server:
        configuration = server.request("GET", "/.well-known/openid-configuration")[1]
        assert (configuration["issuer"], configuration["jwks_uri"]) == (
            "https://new.example",
            "https://keys.example/jwks",
        )
        keys = json.loads(server.request("GET", "/openid/v1/jwks")[1])["keys"]
        assert len(keys) == 2
        server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "work"}})
        server.request("POST", "/api/v1/namespaces/work/serviceaccounts", {"metadata": {"name": "default"}})
        body = made(server, expirationSeconds=7200)
        assert body["spec"]["expirationSeconds"] == 3600 and body["spec"]["audiences"] == ["api", "second"]
        found = claims(body["status"]["token"])
        assert found["iss"] == "https://new.example" and found["exp"] - found["iat"] == 3600
        before = jwt.encode(found | {"iss": "https://old.example"}, old, "ES256")
        assert who(server, before)["username"] == "system:serviceaccount:work:default"
        assert who(server, jwt.encode(found | {"iss": "https://third.example"}, old, "ES256")) == 401


def test_a_file_of_keys_that_is_none_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_bytes(base64.b64encode(b"no key"))
    with (
        pytest.raises(AssertionError, match="no key in PEM form"),
        Server(tmp_path / "var", "--service-account-key-file", str(tmp_path / "bad.pem")),
    ):
        pass


VIEW = {
    "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}}]
}
NODE = {"Impersonate_User": "system:node:told-2", "Impersonate_Group": "system:nodes"}


@pytest.mark.parametrize(
    ("spec", "audiences", "words"),
    [
        (VIEW, ["vault"], ""),
        (VIEW, ["other"], 'audience "other" not found in pod spec volume'),
        (VIEW, [], ""),
        ({**VIEW, "automountServiceAccountToken": False}, [], 'audience "" not found in pod spec volume'),
        (VIEW, ["vault", "other"], "node may only request 0 or 1 audiences"),
        ({"volumes": [{"name": "d", "csi": {"driver": "csi.example.org"}}]}, ["gcp"], ""),
        ({"volumes": [{"name": "d", "csi": {"driver": "csi.example.org"}}]}, ["vault"], 'audience "vault" not found'),
        ({}, ["vault"], 'audience "vault" not found'),
    ],
    ids=str,
)
def test_a_node_gets_tokens_for_whom_its_pod_wants_them(
    server: Server, spec: dict[str, Any], audiences: list[str], words: str
) -> None:
    driver = {"metadata": {"name": "csi.example.org"}, "spec": {"tokenRequests": [{"audience": "gcp"}]}}
    server.request("POST", "/apis/storage.k8s.io/v1/csidrivers", driver)
    name = f"aud-{abs(hash((str(spec), *audiences)))}"
    reference = pod(server, name, nodeName="told-2", serviceAccountName="default", **spec)
    asked = {"spec": {"boundObjectRef": reference, "audiences": audiences}}
    status, body = server.request("POST", TOKENS, asked, **NODE)
    assert (status, body.get("message", "")) == (201, "") if not words else (status == 403 and words in body["message"])


def test_tokens_that_should_have_been_renewed_are_counted(server: Server) -> None:
    def count() -> float:
        lines = server.request("GET", "/metrics")[1].decode().splitlines()
        found = [line for line in lines if line.startswith("serviceaccount_stale_tokens_total ")]
        return float(found[0].split()[1]) if found else 0

    before = count()
    found = claims(token(server))
    found["kubernetes.io"]["warnafter"] = found["iat"] - 60
    key = load_pem_private_key((Path(server.ca).parent / "sa.key").read_bytes(), None)
    stale = jwt.encode(found, key, "ES256")  # type: ignore[arg-type]
    assert who(server, stale)["username"] == "system:serviceaccount:work:default"
    assert count() == before + 1

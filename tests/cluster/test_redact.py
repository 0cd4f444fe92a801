from __future__ import annotations

import json

import pytest

from cluster.redact import is_credential_name, redact
from kube.objectmeta import LAST_APPLIED
from tests.dashboard import world


def test_secret_values_never_remain_but_keys_and_sizes_do() -> None:
    shown = redact("secrets", {**world.secret("db", "default"), "stringData": {"extra": "abc"}})
    assert shown["data"] == {"password": "•••••• (19 bytes)", "user": "•••••• (5 bytes)", "extra": "•••••• (3 bytes)"}
    assert "stringData" not in shown


def test_last_applied_is_masked_whatever_the_kind() -> None:
    obj = world.config_map("a", "default", {}, annotations={LAST_APPLIED: '{"data":{"x":"hunter2"}}', "note": "kept"})
    assert redact("configmaps", obj)["metadata"]["annotations"] == {LAST_APPLIED: "•••••• (24 bytes)", "note": "kept"}


@pytest.mark.parametrize(
    "name",
    [
        "DB_PASSWORD",
        "password",
        "clientSecret",
        "API_KEY",
        "github-token",
        "AWS_SECRET_ACCESS_KEY",
        "redisPassword",
        "privateKey",
        "PGPASSWORD",
    ],
)
def test_names_of_credentials(name: str) -> None:
    assert is_credential_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "secretName",
        "tokenExpirationSeconds",
        "LOG_LEVEL",
        "keyRef",
        "serviceAccountName",
        "passwordFile",
        "monkey",
        "name",
    ],
)
def test_names_of_other_things(name: str) -> None:
    assert not is_credential_name(name)


def test_environment_arguments_and_urls_of_a_pod() -> None:
    pod = world.pod("a", "default")
    container = pod["spec"]["containers"][0]
    container["args"] = ["--password=hunter2", "--token", "abc123", "--url=postgres://app:s3cr3t@db/x", "--level=info"]
    container["env"].append({"name": "URL", "value": "redis://:p4ss@cache:6379"})
    container["env"].append({"name": "REF", "valueFrom": {"secretKeyRef": {"name": "web-db", "key": "password"}}})
    text = json.dumps(redact("pods", pod))
    for credential in ("hunter2", "abc123", "s3cr3t", "p4ss"):
        assert credential not in text
    assert container["args"][4] == "--level=info"
    assert container["env"][0]["value"] == "info"
    assert container["env"][-1]["valueFrom"]["secretKeyRef"]["key"] == "password"


@pytest.mark.parametrize(
    "value",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl",
        "ghp_" + "a" * 36,
    ],
)
def test_credentials_known_by_their_form_in_a_config_map(value: str) -> None:
    shown = redact("configmaps", world.config_map("a", "default", {"settings": f"before {value} after"}))
    assert value not in shown["data"]["settings"]
    assert shown["data"]["settings"].startswith("before ••••••")


def test_custom_resources_are_masked_by_field_name() -> None:
    shown = redact(
        "databases.example.com",
        {
            "metadata": {"name": "a"},
            "spec": {"adminPassword": "hunter2", "passwordSecretRef": {"name": "ref", "key": "password"}},
        },
    )
    assert shown["spec"] == {
        "adminPassword": "•••••• (7 bytes)",
        "passwordSecretRef": {"name": "ref", "key": "password"},
    }


def test_an_object_nested_beyond_reason_does_not_exhaust_the_stack() -> None:
    deep: dict[str, object] = {}
    for _ in range(200):
        deep = {"a": deep}
    assert redact("things.example.com", {"metadata": {}, "spec": deep})["spec"] is deep

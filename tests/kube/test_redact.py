from __future__ import annotations

import json

import pytest

from kube.objectmeta import LAST_APPLIED
from kube.redact.names import is_credential_name
from kube.redact.objects import redact, redact_uri
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


def test_what_lies_too_deep_to_be_looked_into_is_not_shown() -> None:
    deep: object = [{"password": "hunter2"}]
    for _ in range(60):
        deep = {"a": deep}
    assert "hunter2" not in json.dumps(redact("things.example.com", {"metadata": {}, "spec": deep}))


@pytest.mark.parametrize(
    "field, value",
    [
        ("command", ["sh", "-c", "mysql -u root -phunter2 shop"]),
        ("command", ["mysql", "-u", "root", "-phunter2"]),
        ("args", ["curl", "-u", "app:hunter2", "https://x"]),
        ("args", ["redis-cli", "-a", "hunter2", "ping"]),
        ("args", ["mysql", "-phunter2 with 'blanks'; and more"]),
        ("args", ["--header", "Authorization: Bearer hunter2"]),
        ("args", ["--password", "is"]),
        ("env", [{"name": "CONFIG", "value": '{"db": {"password": "hunter2"}}'}]),
        ("env", [{"name": "DSN", "value": "host=db user=app password=hunter2"}]),
        ("env", [{"name": "dbPass", "value": "hunter2"}]),
    ],
)
def test_command_lines_and_environment_of_a_container(field: str, value: list[object]) -> None:
    pod = world.pod("a", "default")
    pod["spec"]["containers"][0][field] = value
    shown = redact("pods", pod)["spec"]["containers"][0][field]
    assert "hunter2" not in json.dumps(shown) and '"is"' not in json.dumps(shown)
    assert len(shown) == len(value) and "••••••" in json.dumps(shown, ensure_ascii=False)


def test_the_program_and_its_options_may_stand_in_command_and_args() -> None:
    pod = world.pod("a", "default")
    container = pod["spec"]["containers"][0]
    container["command"], container["args"] = ["/usr/bin/mysql"], ["-u", "root", "-phunter2", "a; b"]
    redact("pods", pod)
    assert (container["command"], container["args"]) == (["/usr/bin/mysql"], ["-u", "root", "-p••••••", "a; b"])


@pytest.mark.parametrize(
    "name, text",
    [
        (".env", "DEBUG=1\nDB_PASSWORD=hunter2\n"),
        ("config.yaml", "db:\n  user: app\n  password: hunter2\n"),
        ("config.json", '{"db": {"user": "app", "password": "hunter2"}}'),
        ("app.ini", "[db]\nuser = app\npassword = hunter2\n"),
        ("url", "postgres://app:hunter2@db/shop"),
    ],
)
def test_files_inside_a_config_map_keep_all_but_the_credential(name: str, text: str) -> None:
    shown = redact("configmaps", world.config_map("a", "default", {name: text}))["data"][name]
    assert shown == text.replace("hunter2", "••••••")


def test_binary_data_that_is_text_is_looked_into() -> None:
    data = {"env": "REJfUEFTU1dPUkQ9aHVudGVyMgo=", "picture": "iVBORw0KGgo=", "text": "aGVsbG8K"}
    obj = {**world.config_map("a", "default", {}), "binaryData": dict(data)}
    assert redact("configmaps", obj)["binaryData"] == {**data, "env": "•••••• (20 bytes)"}


def test_annotations_are_texts_too() -> None:
    notes = {
        "example.com/applied": '{"spec":{"containers":[{"env":[{"name":"DB_PASSWORD","value":"hunter2"}]}]}}',
        "example.com/auth-token": "hunter2",
        "example.com/db": "postgres://app:hunter2@db/x",
        "example.com/note": "hello",
    }
    shown = redact("configmaps", world.config_map("a", "default", {}, annotations=notes))["metadata"]["annotations"]
    assert "hunter2" not in json.dumps(shown) and shown["example.com/note"] == "hello"


def test_references_to_other_variables_stay() -> None:
    pod = world.pod("a", "default")
    env = [{"name": "DB_PASSWORD", "value": "$(OTHER)"}, {"name": "URL", "value": "redis://:$(DB_PASSWORD)@cache"}]
    pod["spec"]["containers"][0]["env"] = [dict(one) for one in env]
    assert redact("pods", pod)["spec"]["containers"][0]["env"] == env


def test_an_object_nested_beyond_reason_does_not_exhaust_the_stack() -> None:
    deep: dict[str, object] = {}
    for _ in range(200):
        deep = {"a": deep}
    assert redact("things.example.com", {"metadata": {}, "spec": deep})["spec"] is deep


@pytest.mark.parametrize(
    "uri, credential",
    [
        ("/api/v1/namespaces/a/pods/p/exec?command=mysql&command=-uroot&command=-phunter2&stdin=true", "hunter2"),
        ("/api/v1/namespaces/a/pods/p/exec?command=sh&command=-c&command=PGPASSWORD%3Dhunter2+psql", "hunter2"),
        ("/api/v1/namespaces/a/pods/p/exec?command=app&command=--token&command=hunter2", "hunter2"),
        ("/api/v1/namespaces/a/services/web/proxy/login?user=a&password=hunter2", "hunter2"),
    ],
)
def test_addresses_of_requests(uri: str, credential: str) -> None:
    shown = redact_uri(uri)
    assert credential not in shown and shown.startswith(uri.partition("?")[0] + "?")


def test_an_address_without_a_credential_is_left_alone() -> None:
    for uri in ("/api/v1/pods?limit=500&fieldSelector=a%3Db", "/x?command=ls&command=-l+%2Ftmp", "/healthz", ""):
        assert redact_uri(uri) == uri

"""What a policy says of a request: the first rule that fits, as Kubernetes matches them; and what is refused in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.audit.installation import FIRST_POLICY
from cluster.audit.policy import LEVELS, Subject, load

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def level(tmp_path: Path, rules: str, what: Subject) -> str:
    (tmp_path / "policy.yaml").write_text(f"{HEAD}rules:\n{rules}\n- level: Metadata\n")
    policy = load(tmp_path / "policy.yaml")
    first = LEVELS[policy.judge(what).level]
    assert LEVELS[policy.judge(what).level] == first, "the second answer comes from memory"
    return first


def pods(subresource: str = "", **more: str) -> Subject:
    given = {"user": "ann", "verb": "get", "namespace": "default", "name": "web", **more}
    groups = ("ops", "system:authenticated")
    about = ("", "pods", subresource, given["namespace"], given["name"])
    return Subject(given["user"], groups, given["verb"], "", *about)


@pytest.mark.parametrize(
    ("rule", "what", "fits"),
    [
        ("users: [ann]", pods(), True),
        ("users: [bob]", pods(), False),
        ("userGroups: [ops]", pods(), True),
        ("userGroups: [devs]", pods(), False),
        ("verbs: [get]", pods(), True),
        ("verbs: [list]", pods(), False),
        ("namespaces: [default]", pods(), True),
        ("namespaces: [kube-system]", pods(), False),
        ('namespaces: [""]', Subject("ann", (), "get", "", "", "nodes", "", "", "n1"), True),
        ('resources: [{group: ""}]', pods("log"), True),
        ('resources: [{group: "apps"}]', pods(), False),
        ('resources: [{group: "", resources: [pods]}]', pods(), True),
        ('resources: [{group: "", resources: [pods]}]', pods("log"), False),
        ('resources: [{group: "", resources: ["pods/log"]}]', pods("log"), True),
        ('resources: [{group: "", resources: ["pods/*"]}]', pods("log"), True),
        ('resources: [{group: "", resources: ["*/log"]}]', pods("log"), True),
        ('resources: [{group: "", resources: ["*/exec"]}]', pods("log"), False),
        ('resources: [{group: "", resources: ["*"]}]', pods("log"), True),
        ('resources: [{group: "", resources: [pods], resourceNames: [web]}]', pods(), True),
        ('resources: [{group: "", resources: [pods], resourceNames: [db]}]', pods(), False),
        ("nonResourceURLs: [/healthz*]", Subject("ann", (), "get", "/healthz/ping"), True),
        ("nonResourceURLs: [/healthz]", Subject("ann", (), "get", "/healthz/ping"), False),
        ('nonResourceURLs: ["*"]', pods(), False),
        ('resources: [{group: ""}]', Subject("ann", (), "get", "/healthz"), False),
        ("users: [ann]", Subject(None, (), "get", "/healthz"), False),
        ("verbs: [get]\n  users: [ann]\n  namespaces: [default]", pods(), True),
        ("verbs: [get]\n  users: [ann]\n  namespaces: [other]", pods(), False),
    ],
)
def test_what_fits(tmp_path: Path, rule: str, what: Subject, fits: bool) -> None:
    assert level(tmp_path, f"- level: RequestResponse\n  {rule}", what) == ("RequestResponse" if fits else "Metadata")


def test_without_a_rule_that_fits_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"{HEAD}rules:\n- level: Request\n  users: [bob]\n")
    assert LEVELS[load(path).judge(pods()).level] == "None"


def test_stages_and_managed_fields_are_left_out_as_policy_and_rule_say(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        f"{HEAD}omitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n"
        "- {level: Request, users: [ann], omitStages: [ResponseStarted], omitManagedFields: false}\n- level: Metadata\n"
    )
    policy = load(path)
    ann, bob = policy.judge(pods()), policy.judge(pods(user="bob"))
    assert (ann.omit, ann.omit_managed_fields) == ({"RequestReceived", "ResponseStarted"}, False)
    assert (bob.omit, bob.omit_managed_fields) == ({"RequestReceived"}, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules: []", "no rules"),
        ("rules: [{level: All}]", "Invalid enum value 'All'"),
        ("rules: [{level: Metadata, user: [x]}]", "unknown field `user`"),
        ("rules: [{level: Metadata, omitStages: [Later]}]", "Later"),
        ("rules: [{level: Metadata, nonResourceURLs: [healthz]}]", "neither * nor begins with /"),
        ("rules: [{level: Metadata, nonResourceURLs: [/a*b]}]", "a * that is not its end"),
        ('rules: [{level: Metadata, nonResourceURLs: [/a], namespaces: ["x"]}]', "both nonResourceURLs"),
        ("rules: [{level: Metadata, resources: [{group: apps/v1}]}]", "leave the version out"),
        ("rules: [{level: Metadata, resources: [{resourceNames: [x]}]}]", "resourceNames need resources"),
        ("rules: [}", "not valid YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_said(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(HEAD + text + "\n")
    with pytest.raises(ValueError, match=r"policy\.yaml") as caught:
        load(path)
    assert words in str(caught.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        load(tmp_path / "policy.yaml")


NODE = ("system:nodes", "system:authenticated")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (Subject("ann", ("ops",), "get", "", "", "secrets", "", "x", "password"), "Metadata"),
        (Subject("ann", ("ops",), "create", "", "", "secrets", "", "x", ""), "Metadata"),
        (Subject("ann", ("ops",), "list", "", "", "secrets", "", "", ""), "Metadata"),
        (Subject("ann", ("ops",), "create", "", "", "serviceaccounts", "token", "x", "y"), "Metadata"),
        (Subject("ann", ("ops",), "list", "", "", "pods", "", "x", ""), "None"),
        (Subject("ann", ("ops",), "get", "", "", "pods", "exec", "x", "y"), "Metadata"),
        (Subject("ann", ("ops",), "delete", "", "apps", "deployments", "", "x", "y"), "Metadata"),
        (Subject("ann", ("ops",), "create", "", "rbac.authorization.k8s.io", "rolebindings", "", "x", "y"), "Request"),
        (Subject("node", NODE, "update", "", "coordination.k8s.io", "leases", "", "kube-node-lease", "n"), "None"),
        (Subject("node", NODE, "delete", "", "", "pods", "", "x", "y"), "Metadata"),
        (Subject("node", NODE, "get", "/readyz"), "None"),
        (Subject(None, (), "login", "/login"), "Metadata"),
    ],
)
def test_the_policy_of_a_new_cluster_keeps_bodies_of_secrets_out(what: Subject, expected: str) -> None:
    assert LEVELS[load(FIRST_POLICY).judge(what).level] == expected


def test_what_clients_invent_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f"{HEAD}rules:\n- level: Metadata\n")
    policy = load(path)
    for number in range(100):
        policy.judge(Subject("ann", (), "get", f"/{number}" * 1000))
        policy.judge(pods(namespace=str(number) * 1000))
    assert not policy._memo

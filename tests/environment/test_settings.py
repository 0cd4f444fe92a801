"""The table of settings: reads that fail loudly, a page that agrees with it, and no read beside it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import environment
from cluster.settings import from_environment
from environment.__main__ import page
from environment.setting import Setting
from kube.registry import Settings
from tests.conftest import ROOT

SOURCES = [
    path
    for path in sorted(ROOT.rglob("*.py"))
    if path.relative_to(ROOT).parts[0] not in (".venv", "build", "environment", "node_modules", "var")
]


def test_the_page_is_the_table() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page(), "run: python -m environment > docs/settings.md"


@pytest.mark.parametrize("setting", environment.TABLE.values(), ids=lambda setting: setting.name)
def test_a_default_can_be_read(setting: Setting[object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(setting.name, raising=False)
    default = setting.get()
    monkeypatch.setenv(setting.name, "")
    assert setting.get() == default and not setting.given, "an empty variable is one that is not set"


def test_the_defaults_are_those_of_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in (environment.SERVICE_CIDR, environment.POD_CIDR):
        monkeypatch.delenv(setting.name, raising=False)
    assert from_environment() == Settings()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "70000", "PORT is '70000': give a port: a number from 1 to 65535"),
        ("BINNACLE_API_PORT", "x", "BINNACLE_API_PORT is 'x': give a port"),
        ("BINNACLE_NODE_GRACE", "-1", "BINNACLE_NODE_GRACE is '-1': give a number of at least 0"),
        ("BINNACLE_NODE_GRACE", "nan", "give a number of at least 0"),
        ("BINNACLE_METRICS_RESOLUTION", "0", "give a number greater than 0"),
        ("BINNACLE_TERMINATED_PODS", "1.5", "give a whole number"),
        ("BINNACLE_LOG_LEVEL", "LOUD", "give DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("BINNACLE_POD_CIDR", "10.0.0.1/8", "give a range of addresses"),
        ("BINNACLE_NODE_ADDRESS", "here", "BINNACLE_NODE_ADDRESS is 'here': give an IP address"),
        ("BINNACLE_API_URL", "localhost:6443", "give http://"),
        ("BINNACLE_REDIS", "/run/redis.sock", "give unix://PATH"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    name: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=re.escape(sentence) if not environment.TABLE[name].secret else name):
        environment.TABLE[name].get()
    with pytest.raises(ValueError, match=name):
        environment.check()


def test_a_secret_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://me:secret@here/db")
    with pytest.raises(ValueError, match=r"DATABASE_URL .* give sqlite:///PATH or postgresql://") as refused:
        environment.check()
    assert "secret" not in str(refused.value)


def test_a_typo_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.unknown() == []
    monkeypatch.setenv("BINNACLE_WITHUOT", "kubelet")
    monkeypatch.setenv("BINNACLE_QQ", "1")
    first, second = environment.unknown()
    assert first == "nothing reads BINNACLE_QQ, see docs/settings.md"
    assert second == "nothing reads BINNACLE_WITHUOT: is BINNACLE_WITHOUT meant?"


def test_words_and_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_WITHOUT", " kubelet, ,kubeproxy,")
    assert environment.WITHOUT.get() == ["kubelet", "kubeproxy"]
    monkeypatch.setenv("BINNACLE_VAR", "/a/b")
    assert environment.VAR.get() == Path("/a/b")
    monkeypatch.delenv("BINNACLE_ADDONS", raising=False)
    assert environment.ADDONS.get() is None


def test_a_program_of_the_project_is_given_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINNACLE_PORT", "8081")
    monkeypatch.setenv("SECRET_OF_A_USER", "x")
    given = environment.passed_on("PATH")
    assert given["BINNACLE_PORT"] == "8081" and "PATH" in given and "SECRET_OF_A_USER" not in given


def test_loading_it_loads_little() -> None:
    """The smallest programs import it: no dataclass machinery, nothing of ours, no library."""
    code = "import environment, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True, timeout=60
    )
    assert not set(done.stdout.split()) & {"dataclasses", "inspect", "django", "orjson", "logging", "difflib"}


def reads(tree: ast.AST) -> list[int]:
    """Lines that use `os.environ` or `os.getenv` other than to pass an environment on to a child, or to change one.

    Passed on: `{**os.environ, …}` and `dict(os.environ)`. Changed: an assignment, `setdefault` (Django's own idiom).
    """
    allowed: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Dict(keys=keys, values=values):
                allowed |= {id(value) for key, value in zip(keys, values, strict=True) if key is None}
            case ast.Call(func=ast.Name(id="dict"), args=[value]):
                allowed.add(id(value))
            case ast.Subscript(value=value, ctx=ast.Store()):
                allowed.add(id(value))
            case ast.Attribute(value=value, attr="setdefault" | "update" | "pop"):
                allowed.add(id(value))
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "environb", "getenv", "getenvb")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and id(node) not in allowed
    ]


def test_reads_are_found() -> None:
    assert reads(ast.parse("import os\nos.environ['A']\nos.getenv('A')\n'A' in os.environ\nos.environ.get('A')")) == [
        2,
        3,
        4,
        5,
    ]
    assert not reads(ast.parse("import os\nrun(env={**os.environ, 'A': '1'})\nos.environ['A'] = '1'\ndict(os.environ)"))


def test_nobody_reads_the_environment_beside_the_table() -> None:
    found = []
    for path in SOURCES:
        text = path.read_text()
        if "environ" in text or "getenv" in text:
            found += [f"{path.relative_to(ROOT)}:{line}" for line in reads(ast.parse(text))]
            if re.search(r"^from os import .*env", text, re.MULTILINE):
                found.append(f"{path.relative_to(ROOT)}: from os import …")
    assert not found, f"declare a setting in environment/ and read it there: {found}"


def test_every_setting_is_read() -> None:
    """A row of the page that nothing heeds would be a promise that is not kept."""
    text = "\n".join(path.read_text() for path in SOURCES if path != Path(__file__))
    constants = {id(value): name for name, value in vars(environment).items() if isinstance(value, Setting)}
    for setting in environment.TABLE.values():
        constant = constants[id(setting)]
        assert re.search(rf"\.{constant}\b", text) or f'"{setting.name}"' in text, f"nothing reads {setting.name}"

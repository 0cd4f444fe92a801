"""Rules of the project itself: imports go one way, types and style hold, the sources are where they may be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.timeout(900)  # mypy reads everything anew on a fresh clone, on whatever the machine does beside it
@pytest.mark.parametrize(
    "tool",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["biome", "ci", "--error-on-warnings", "--colors=off"],
        ["mypy"],
        ["lint-imports"],
    ],
    ids=" ".join,
)
def test_the_linters_are_silent(tool: list[str]) -> None:
    path = Path(sys.executable).parent / tool[0]
    done = subprocess.run([str(path), *tool[1:]], cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_line_of_javascript_is_longer_than_120() -> None:
    """The formatter leaves markup and comments alone."""
    ours = [*(ROOT / "dashboard/static/js").rglob("*.js"), *(ROOT / "addons/static").rglob("*.js")]
    assert ours
    for path in ours:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert len(line) <= 120, f"{path.relative_to(ROOT)}:{number}"


def test_the_folder_logging_is_no_package() -> None:
    """With an `__init__.py` it would hide Python's own `logging` from everything that starts at the root."""
    assert not (ROOT / "logging" / "__init__.py").exists()
    assert (ROOT / "tests" / "__init__.py").exists()


def test_requirements_are_pinned() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[\w.]+", line), f"{name}: {line}"


def test_every_addon_has_the_same_shape() -> None:
    from addons.catalogue import catalogue

    assert catalogue(), "there is at least one addon"
    for name in catalogue():
        folder = ROOT / "addons" / name
        assert (folder / "README.md").exists() and list((folder / "manifests").glob("*.yaml")), name


def test_files_that_the_documents_name_exist() -> None:
    """README and docs link files; a renamed one must not leave a dead link."""
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_commands_that_the_documents_name_exist() -> None:
    rules = re.findall(r"^([a-z]+(?: [a-z]+)*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"`make ([a-z]+)", (ROOT / document).read_text()))
        assert named and named <= targets, f"{document}: {named - targets}"


def test_texts_that_become_numbers_are_asked_for_digits_that_int_can_read() -> None:
    """`"²".isdigit()` holds, and `int("²")` fails: `isdecimal`, or `isascii` beside it."""
    for path in ROOT.glob("*/**/*.py"):
        if path.relative_to(ROOT).parts[0] in ("tests", ".venv"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            careless = "isdigit()" in line and "isascii()" not in line and re.search(r"\bint\(", line)
            assert not careless, f"{path.relative_to(ROOT)}:{number}"

"""deploy/prometheus by promtool: the configuration, the rules, and what each alert fires on."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.prepare import needs

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
RULES, TESTS = sorted((FOLDER / "rules").glob("*.yml")), sorted((FOLDER / "tests").glob("*.yml"))


def promtool(*words: str | Path, cwd: Path | None = None) -> str:
    needs("promtool")
    done = subprocess.run(
        ["promtool", *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "prometheus.yml", tmp_path)
    shutil.copytree(FOLDER / "rules", tmp_path / "rules")
    for name in ("token", "ca.crt"):
        (tmp_path / name).touch()
    assert "6 rule files found" in promtool("check", "config", tmp_path / "prometheus.yml")


@pytest.mark.parametrize("path", TESTS, ids=[path.stem for path in TESTS])
def test_the_rules_do_what_they_say(path: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", path.name, cwd=path.parent)


def test_every_alert_is_tested() -> None:
    promtool("check", "rules", *RULES)
    alerts = {name for path in RULES for name in re.findall(r"alert: (\w+)", path.read_text())}
    tested = {name for path in TESTS for name in re.findall(r"name: (\w+) fires", path.read_text())}
    assert alerts == tested and len(alerts) > 40


def test_prepare_puts_the_address_where_the_configuration_has_a_name() -> None:
    named = "monitoring.kube-system.svc.cluster.local:9090"
    assert named in (FOLDER / "prometheus.yml").read_text() and named in (FOLDER / "prepare").read_text()

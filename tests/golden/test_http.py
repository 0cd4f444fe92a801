"""No recorded case that once passed may fail again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apiserver.standalone import Server
from tests.golden import http_cases


@pytest.mark.timeout(900)
@pytest.mark.skipif(not http_cases.CASES.exists(), reason="the recorded cases are not beside the project")
def test_cases_that_passed_still_pass(tmp_path: Path) -> None:
    with Server(tmp_path / "var") as server:
        results = http_cases.run(server)
    counts = http_cases.report(results)
    lost = {name: results.get(name) for name in http_cases.names(http_cases.PASSING) if results.get(name) != []}
    assert not lost, "\n".join(f"{name}: {differences}" for name, differences in lost.items())
    assert sum(count["passed"] for count in counts.values()) >= len(http_cases.names(http_cases.PASSING))


def test_decisions_have_reasons() -> None:
    lines = [line for line in http_cases.BY_DECISION.read_text().splitlines() if line and not line.startswith("#")]
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)
    assert not set(http_cases.names(http_cases.BY_DECISION)) & set(http_cases.names(http_cases.PASSING))

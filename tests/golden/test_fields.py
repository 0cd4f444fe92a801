"""Every kind judges its fields as recorded, but for what the list excuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apiserver.standalone import Server
from tests.golden import fields_cases


@pytest.mark.timeout(300)
@pytest.mark.skipif(not fields_cases.FOLDER.exists(), reason="the recorded cases are not beside the project")
def test_fields_are_judged_as_recorded(tmp_path: Path) -> None:
    excuses = fields_cases.excuses()
    with Server(tmp_path / "var") as server:
        found = list(fields_cases.differences(server, fields_cases.files()))
    new = [one for one in found if not any(excuse.covers(*one[:3]) for excuse in excuses)]
    assert not new, "\n".join(" ".join(one) for one in new)


def test_excuses_have_reasons() -> None:
    assert all(excuse.reason.strip() for excuse in fields_cases.excuses())

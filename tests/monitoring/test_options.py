"""The command line refuses what cannot be, and says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from client.pod import inside
from monitoring.options import parse


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POD_IP", raising=False)
    found = parse([])
    assert (found.address, found.port, found.backend, found.limit, found.interval) == (
        "",
        9090,
        "embedded",
        2 << 30,
        15,
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--backend=prometheus"], "--prometheus-url is missing"),
        (["--max-size=5"], "write one of at least 16Mi"),
        (["--max-size=lots"], "is no size"),
        (["--metric-labels-allowlist=app"], "is no list of keys by kind"),
        (["--scrape-interval=1"], "a number of seconds from 5 to 30"),
        (["--backend=prometheus", "--prometheus-url=prometheus:9090"], "write one as http://prometheus:9090"),
    ],
)
def test_what_can_not_be_is_refused(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)
    assert words in capsys.readouterr().err


def test_a_mount_is_below_the_pods_root_where_pods_have_no_file_system_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BINNACLE_POD_ROOT", "/pods/x")
    assert inside(Path("/var/lib/monitoring")) == Path("/pods/x/var/lib/monitoring")
    monkeypatch.delenv("BINNACLE_POD_ROOT")
    assert inside(Path("/var/lib/monitoring")) == Path("/var/lib/monitoring")


def test_lists_of_keys_by_kind() -> None:
    found = parse(
        ["--metric-labels-allowlist=pods=[app, team-*],nodes=[*]", "--metric-annotations-allowlist=*=[x.y/z]"]
    )
    assert found.labels == {"pods": ["app", "team-*"], "nodes": ["*"]}
    assert found.annotations == {"*": ["x.y/z"]}

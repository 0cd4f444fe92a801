"""What processes of ours log has no credentials in it: not in messages, their arguments, or tracebacks."""

from __future__ import annotations

import logging
import subprocess
import sys

from telemetry.logs import Redacted, redact
from tests.conftest import ROOT


def line(message: str, *arguments: object, formatter: logging.Formatter | None = None) -> str:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, message, arguments, None)
    return (formatter or Redacted()).format(record)


def test_messages_and_their_arguments() -> None:
    found = line("connecting to %s as %s", "postgres://app:hunter2@db/x", "app")
    assert found.endswith("x: connecting to postgres://app:••••••@db/x as app")


def test_a_line_without_a_credential_is_left_alone() -> None:
    assert line("pod %s: started", "default/web").endswith("INFO x: pod default/web: started")


def test_tracebacks() -> None:
    code = (
        "import logging; from telemetry import logs; logs.set_up()\n"
        "try:\n"
        "    raise ValueError('password=hunter' + '2')\n"
        "except ValueError:\n"
        "    logging.exception('failed: Authorization: Bearer %s', 'hunter' + '2')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True, timeout=60
    )
    assert "failed: Authorization" in done.stderr and "ValueError" in done.stderr and "hunter2" not in done.stderr


def test_handlers_that_somebody_else_has_set_up_keep_their_form() -> None:
    logger = logging.Logger("celery")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("[%(levelname)s] %(message)s"))
    logger.addHandler(handler)
    redact(logger)
    redact(logger)
    assert line("token=%s", "hunter2", formatter=handler.formatter) == "[INFO] token=••••••"


def test_every_program_logs_through_it() -> None:
    """Nobody sets up the log by hand, where it would go out as it is."""
    programs = [
        path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] not in ("tests", ".venv", "bench")
    ]
    bare = [str(path.relative_to(ROOT)) for path in programs if "logging.basicConfig" in path.read_text()]
    assert bare == ["telemetry/logs.py"]

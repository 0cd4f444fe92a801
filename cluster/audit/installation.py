"""The audit log of an installation: where it is in the state folder, how long it may become, what its policy is at first."""

from __future__ import annotations

import atexit
import logging
from functools import lru_cache
from pathlib import Path

from cluster.audit.events import AuditLog
from cluster.audit.policy import load
from cluster.audit.writer import Rotated, Writer

log = logging.getLogger(__name__)

FIRST_POLICY = Path(__file__).with_name("policy.yaml")
MAX_SIZE, MAX_AGE, MAX_BACKUPS = 20, 30, 5  # MiB of a file, days, rotated files: 120 MiB at most


def policy_path(var: Path) -> Path:
    return var / "audit" / "policy.yaml"


def log_path(var: Path) -> Path:
    return var / "audit" / "audit.log"


def prepare(var: Path) -> None:
    """The folder, with a policy where there is none: it is the admin's to change."""
    path = policy_path(var)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        path.write_bytes(FIRST_POLICY.read_bytes())
        path.chmod(0o600)


@lru_cache(maxsize=4)
def beside(var: Path) -> AuditLog | None:
    """The log of an installation for a process beside its API server; None where it has no policy, or one that is wrong."""
    if not policy_path(var).exists():
        return None
    try:
        made = AuditLog(load(policy_path(var)), Writer(Rotated(log_path(var), MAX_SIZE, MAX_AGE, MAX_BACKUPS)))
    except (OSError, ValueError) as error:
        log.error("nothing goes into the audit log: %s", error)
        return None
    atexit.register(made.writer.close)
    return made

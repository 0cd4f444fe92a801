"""Everything an installation needs before its processes start: keys, tokens, kubeconfigs, tables. Safe to repeat."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import environment
from cluster.audit import installation as audit
from config.installation import Installation
from config.preflight import Refused
from config.processes import ROOT, supervisor_config

MIGRATED_APPS = ("cluster", "addons", "dashboard")


def prepare(at: Installation) -> None:
    """Bring the state folder into the form that this version expects."""
    from config import pki, redis

    folder = at.path / "pki"
    pki.make_all(folder, node=at.node, addresses=sorted({at.service_address, at.node_address}))
    node_user = f"system:node:{at.node}"
    tokens = pki.static_tokens(
        folder, {"admin": "system:masters", node_user: "system:nodes", "system:kube-proxy": "system:node-proxiers"}
    )
    server = f"https://127.0.0.1:{at.api_port}"
    for path, user in (
        (at.path / "kubeconfig", "admin"),
        (at.path / "kubelet" / "kubeconfig", node_user),
        (at.path / "kubeproxy" / "kubeconfig", "system:kube-proxy"),
    ):
        pki.write_kubeconfig(path, server=server, ca=folder / "ca.crt", user=user, token=tokens[user])
    audit.prepare(at.path)
    prepare_keys(at)
    redis.prepare(at.path)
    migrate(at)
    bind_values(at)
    condense_definitions(at)
    (at.path / "supervisord.conf").write_text(supervisor_config(at))


def prepare_keys(at: Installation) -> None:
    """Make the first encryption key of a new installation; one that was started before has its keys somewhere."""
    from cluster import keyring

    ring = keyring.of(at.path)
    try:
        if (at.path / "migrated").exists() and not ring.all():
            raise Refused(
                f"the encryption keys of {at.var} are not in {ring.folder}: set BINNACLE_KEYS as before, or put them back"
            )
        ring.prepare()
    except keyring.KeyringError as error:
        raise Refused(str(error)) from error


def bind_values(at: Installation) -> None:
    """Once, for an installation of before: encrypt its secrets anew, each bound to its object (`cluster.rotation`)."""
    if not (at.path / "pki" / "encryption.key").exists():
        return
    done = subprocess.run(
        [sys.executable, "manage.py", "rotate_keys", "--no-new-key", "--skip-checks"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env={**os.environ, **at.environment()},
    )
    if done.returncode:
        print(f"Note: {done.stderr.strip()}", flush=True)


def migrate(at: Installation) -> None:
    """Create or alter the tables; skipped when nothing changed since the last start, to start faster.

    Raises Refused with the database's own words.
    """
    files = sorted(path for app in MIGRATED_APPS for path in (ROOT / app / "migrations").glob("*.py"))
    digest = hashlib.blake2b(digest_size=16)
    for file in [*files, ROOT / "requirements.txt"]:
        digest.update(f"{file.relative_to(ROOT)}".encode() + file.read_bytes())
    stamp, path = digest.hexdigest(), at.path / "migrated"
    if path.exists() and path.read_text() == stamp and not environment.DATABASE_URL.given:
        return
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--skip-checks", "-v", "0"],
        cwd=ROOT,
        text=True,
        stderr=subprocess.PIPE,
        env={**os.environ, **at.environment()},
    )
    if done.returncode:
        database = "what DATABASE_URL names" if environment.DATABASE_URL.given else f"{at.path}/cluster.db"
        lines = [
            line for line in done.stderr.splitlines() if line[:1].strip()
        ]  # the last: the error; indented: its details
        raise Refused(f"the database, {database}, cannot be prepared: {lines[-1] if lines else 'no reason was given'}")
    path.write_text(stamp)


def condense_definitions(at: Installation) -> None:
    """Make the files of OpenAPI definitions that every process reads, so that none has to at its start."""
    from kube.schema import definitions

    environment.VAR.put(at.var)
    definitions.prepare()


def kubeconfig_path(var: Path) -> Path:
    """Where the administrator's kubeconfig is, relative to the present folder when it is below it."""
    path = var / "kubeconfig"
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path

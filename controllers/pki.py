"""The cluster's key material, as far as controllers need it; files under $BINNACLE_VAR/pki."""

from __future__ import annotations

from pathlib import Path

import environment


def folder() -> Path:
    """Where the files are."""
    return environment.VAR.get() / "pki"


def accounts_key() -> Path:
    """The file of the key that signs the tokens of service accounts."""
    return folder() / "sa.key"


def authority() -> str:
    """The certificate of the cluster's authority, PEM. Raises FileNotFoundError before the first start made it."""
    return (folder() / "ca.crt").read_text()

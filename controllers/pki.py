"""The cluster's key material, as far as controllers need it; files under $BINNACLE_VAR/pki."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """Where the files are. Raises RuntimeError when the environment does not say."""
    var = os.environ.get("BINNACLE_VAR")
    if not var:
        raise RuntimeError("BINNACLE_VAR is not set: give the folder that holds the cluster's state")
    return Path(var) / "pki"


def accounts_key() -> Path:
    """The file of the key that signs the tokens of service accounts."""
    return folder() / "sa.key"


def authority() -> str:
    """The certificate of the cluster's authority, PEM. Raises FileNotFoundError before the first start made it."""
    return (folder() / "ca.crt").read_text()

"""Where a program that runs as a pod finds what was mounted for it, and the API."""

from __future__ import annotations

from pathlib import Path

import environment
from client.kubeconfig import SERVICE_ACCOUNT, Config, in_cluster, load


def inside(path: Path) -> Path:
    """Where a mountPath is: without a mount namespace, below $BINNACLE_POD_ROOT."""
    root = environment.POD_ROOT.get()
    return Path(root, str(path).lstrip("/")) if root and path.is_absolute() else path


def api(server: str, kubeconfig: str) -> Config:
    """Where the API is and who we are there: a kubeconfig, else the pod's account, at `server` or where pods find it.

    Raises OSError or KubeconfigError.
    """
    if kubeconfig:
        return load(kubeconfig)
    if not server:
        return in_cluster()
    account = inside(SERVICE_ACCOUNT)
    return Config(server, ca=(account / "ca.crt").read_text(), token_file=str(account / "token"))

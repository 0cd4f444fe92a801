"""Whether a container that ended runs again: the node's agent acts by it, the API server checks statuses by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def restarts(spec: Mapping[str, Any], container: Mapping[str, Any], exit_code: int) -> bool:
    """As the first rule of its own that matches says, else its own policy, else that of the pod's `spec`."""
    for rule in container.get("restartPolicyRules") or ():
        codes = rule["exitCodes"]
        if (exit_code in (codes.get("values") or ())) == (codes["operator"] == "In"):
            return bool(rule["action"] == "Restart")
    policy = container.get("restartPolicy") or spec.get("restartPolicy") or "Always"
    return bool(policy == "Always" or (policy == "OnFailure" and exit_code))

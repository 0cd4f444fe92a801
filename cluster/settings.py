"""What of this installation validation and defaulting need, as the supervisor passes it to every process."""

from __future__ import annotations

import environment
from kube.registry import Settings


def from_environment() -> Settings:
    """The settings of this installation."""
    return Settings(service_cidr=environment.SERVICE_CIDR.get(), pod_cidr=environment.POD_CIDR.get())

"""What of this installation validation and defaulting need, as the supervisor passes it to every process."""

from __future__ import annotations

import os

from kube.registry import Settings


def from_environment() -> Settings:
    """The settings of this installation."""
    default = Settings()
    return Settings(
        service_cidr=os.environ.get("BINNACLE_SERVICE_CIDR", default.service_cidr),
        pod_cidr=os.environ.get("BINNACLE_POD_CIDR", default.pod_cidr),
    )

"""Which Kubernetes this server speaks."""

from __future__ import annotations

import platform

from apiserver import response
from apiserver.request import Request
from apiserver.response import Answer

MAJOR, MINOR, PATCH = 1, 36, 3
GIT_VERSION = f"v{MAJOR}.{MINOR}.{PATCH}"


async def handle(request: Request) -> Answer:
    """The answer to /version."""
    info = {
        "major": str(MAJOR),
        "minor": str(MINOR),
        "emulationMajor": str(MAJOR),
        "emulationMinor": str(MINOR),
        "minCompatibilityMajor": str(MAJOR),
        "minCompatibilityMinor": str(MINOR - 1),
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"linux/{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }",
    }
    return response.json_response(info)

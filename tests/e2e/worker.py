"""A pod that uses the same whenever one looks: 60 MB and a tenth of a core, also on a machine where others work too."""

from __future__ import annotations

import json
import sys

# Works for 2.5 ms of each 25, by the clock of its own processor time; what it is late it makes good.
WORK = """
import time
held, due = bytearray(60_000_000), time.monotonic()
while True:
    end = time.process_time() + 0.0025
    while time.process_time() < end:
        pass
    due += 0.025
    time.sleep(max(due - time.monotonic(), 0))
"""


def deployment() -> str:
    """The Deployment `worker`, labelled `app: worker`, as kubectl takes it."""
    container = {
        "name": "work",
        "image": "host",
        "command": [sys.executable, "-c", WORK],
        "resources": {"requests": {"cpu": "500m", "memory": "80Mi"}},
    }
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "worker"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "worker"}},
                "template": {
                    "metadata": {"labels": {"app": "worker"}},
                    "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
                },
            },
        }
    )

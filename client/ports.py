"""Which port each process of a cluster listens on, derived from the API's, so that clusters on one machine do not meet.

| process | distance | beside 6443 |
| --- | --- | --- |
| kubelet | 3807 | 10250 |
| controllers, metrics | 5814 | 12257 |
| scheduler, metrics | 6816 | 13259 |
| kube-proxy, metrics | 7806 | 14249 |

The distances differ by no small and no round number: API ports that people choose side by side do.
"""

from __future__ import annotations

DISTANCES = {"kubelet": 3807, "controllers": 5814, "scheduler": 6816, "kubeproxy": 7806}


def beside(api_port: int, process: str) -> int:
    """The port of a process of the cluster whose API is at `api_port`."""
    distance = DISTANCES[process]
    return api_port + distance if api_port + distance < 65536 else api_port - distance

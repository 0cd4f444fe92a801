"""Which port each process of a cluster listens on, derived from the API's, so that clusters on one machine do not meet.

| process | distance | beside 6443 |
| --- | --- | --- |
| kubelet | 3807 | 10250 |
| controllers, metrics | 5832 | 12275 |
| scheduler, metrics | 6857 | 13300 |
| kube-proxy, metrics | 7882 | 14325 |

API ports that people choose differ by a small number, by a round one, or by both (6443, 6453, 7443). No two distances do:
they differ by 25, 50 or 75 from every multiple of a hundred.
"""

from __future__ import annotations

DISTANCES = {"kubelet": 3807, "controllers": 5832, "scheduler": 6857, "kubeproxy": 7882}


def beside(api_port: int, process: str) -> int:
    """The port of a process of the cluster whose API is at `api_port`."""
    distance = DISTANCES[process]
    return api_port + distance if api_port + distance < 65536 else api_port - distance

"""What is measured, by number. Those that are gone keep theirs, so that their history can be asked for.

A pod that comes back under its name, on the same node and of the same workload, goes on as the one it was.
"""

from __future__ import annotations

from typing import NamedTuple

NODE, POD, CONTAINER, WORKLOAD, NAMESPACE = "node", "pod", "container", "workload", "namespace"
KINDS = (NODE, POD, CONTAINER, WORKLOAD, NAMESPACE)


class Entity(NamedTuple):
    """`kind` and what says which one; what does not apply is "". `workload` is `<kind>/<name>`, as `Deployment/web`."""

    kind: str
    node: str = ""
    namespace: str = ""
    workload: str = ""
    pod: str = ""
    container: str = ""


FIELDS = Entity._fields

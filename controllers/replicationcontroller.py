"""ReplicationControllers: the ReplicaSet's rules with a selector that is a plain map."""

from __future__ import annotations

from typing import Any

from controllers import owners
from controllers.replicaset import ReplicaSetController
from controllers.runtime import Watch, own_key
from kube import selectors


def rc_selector(rc: dict[str, Any]) -> selectors.Selector:
    return selectors.from_object({"matchLabels": rc["spec"].get("selector") or {}})


class ReplicationControllerController(ReplicaSetController):
    """See the module's text."""

    name = "replicationcontroller"
    user = "system:serviceaccount:kube-system:replication-controller"
    storage = "replicationcontrollers"
    component = "replication-controller"
    selector = staticmethod(rc_selector)
    watches = (
        Watch("replicationcontrollers", own_key),
        Watch("pods", owners.owner_or_matching_keys("ReplicationController", "replicationcontrollers", rc_selector)),
    )

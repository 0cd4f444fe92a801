"""apps/v1: Deployment, ReplicaSet, DaemonSet, StatefulSet, ControllerRevision."""

from kube.kinds.apps import controllerrevision, daemonset, deployment, replicaset, statefulset
from kube.registry import register

register(controllerrevision.KIND, daemonset.KIND, deployment.KIND, replicaset.KIND, statefulset.KIND)

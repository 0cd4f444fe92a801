"""flowcontrol.apiserver.k8s.io/v1: FlowSchema, PriorityLevelConfiguration."""

from kube.kinds.flowcontrol import flowschema, prioritylevel
from kube.registry import register

register(flowschema.KIND, prioritylevel.KIND)

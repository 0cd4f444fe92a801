"""flowcontrol.apiserver.k8s.io/v1: FlowSchema, PriorityLevelConfiguration."""

from cluster.kinds.flowcontrol import flowschema, prioritylevel
from cluster.registry import register

register(flowschema.KIND, prioritylevel.KIND)

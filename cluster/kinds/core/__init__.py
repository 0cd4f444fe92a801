"""The core group (`v1`): one module per group of kinds."""

from cluster.kinds.core import (
    componentstatuses,
    configuration,
    endpoints,
    events,
    namespaces,
    nodes,
    pods,
    podtemplates,
    quotas,
    replicationcontrollers,
    serviceaccounts,
    services,
    volumes,
)
from cluster.registry import register

for _module in (
    pods,
    nodes,
    services,
    configuration,
    volumes,
    namespaces,
    serviceaccounts,
    quotas,
    events,
    endpoints,
    podtemplates,
    replicationcontrollers,
    componentstatuses,
):
    register(*_module.KINDS)

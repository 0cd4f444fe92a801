"""The core group (`v1`): one module per group of kinds."""

from kube.kinds.core import (
    componentstatuses,
    configuration,
    endpoints,
    events,
    namespaces,
    nodes,
    quotas,
    replicationcontrollers,
    serviceaccounts,
    services,
    volumes,
)
from kube.registry import register

for _module in (
    nodes,
    services,
    configuration,
    volumes,
    namespaces,
    serviceaccounts,
    quotas,
    events,
    endpoints,
    replicationcontrollers,
    componentstatuses,
):
    register(*_module.KINDS)

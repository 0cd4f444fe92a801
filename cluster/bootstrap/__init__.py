"""What a server holds before anyone has written to it: namespaces, default RBAC, priority classes, the API's own Service.

`objects(settings)` is the whole list, in an order in which each can be created. It is data: whoever calls it creates
what is missing and leaves alone what is there, as the real server does at each start.
"""

from __future__ import annotations

from cluster.bootstrap import apiservices, flowcontrol, rbac, system
from kube.objects import Json
from kube.registry import Settings


def objects(settings: Settings, api_port: int = 6443, api_address: str = "127.0.0.1") -> list[Json]:
    """Every bootstrap object, with apiVersion, kind and metadata; namespaces come first.

    `api_address` and `api_port` are where the API server listens, for the endpoints of the `kubernetes` Service.
    """
    return [
        *system.namespaces(),
        *rbac.objects(),
        *rbac.own(),
        *system.priority_classes(),
        *system.service_cidr(settings),
        *system.kubernetes_service(settings, api_address, api_port),
        *flowcontrol.objects(),
        *apiservices.objects(),
    ]

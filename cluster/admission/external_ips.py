"""DenyServiceExternalIPs: nobody takes traffic for an address by naming it in a service; what is set may stay."""

from __future__ import annotations

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request


class DenyServiceExternalIPs(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"services"})

    def validate(self, request: Request) -> None:
        before = ((request.old or {}).get("spec") or {}).get("externalIPs") or ()
        if not set(request.obj["spec"].get("externalIPs") or ()) <= set(before):
            raise request.forbid("Use of external IPs is denied by admission control")

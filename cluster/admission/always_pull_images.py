"""AlwaysPullImages: no pod uses an image that its own credentials could not pull, because another pod pulled it before."""

from __future__ import annotations

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.request import Request
from kube.pods import podutil


class AlwaysPullImages(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"pods"})
    subresources = frozenset({"", "ephemeralcontainers"})

    def mutate(self, request: Request) -> None:
        old = {(c["name"], c.get("image")) for c in podutil.all_containers((request.old or {}).get("spec") or {})}
        for container in podutil.all_containers(request.obj["spec"]):
            if (container.get("name"), container.get("image")) not in old:
                container["imagePullPolicy"] = "Always"

    def validate(self, request: Request) -> None:
        """A webhook may have set it back."""
        for container in podutil.all_containers(request.obj["spec"]):
            if request.operation == CREATE and container.get("imagePullPolicy") != "Always":
                raise request.forbid(
                    f"spec.containers[{container['name']}].imagePullPolicy: Unsupported value: "
                    f'"{container.get("imagePullPolicy")}": supported values: "Always"'
                )

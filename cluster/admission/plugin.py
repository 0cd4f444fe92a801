"""The shape of an admission plugin."""

from __future__ import annotations

from typing import ClassVar

from cluster.admission.request import Request
from kube.objects import Json

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"


class Plugin:
    """Sees the writes that its class attributes describe. `mutate` comes before validation, `validate` after it.

    `storages` None means every kind; `subresources` names those seen beside the object itself ("").
    """

    operations: ClassVar[frozenset[str]] = frozenset({CREATE})
    storages: ClassVar[frozenset[str] | None] = None
    subresources: ClassVar[frozenset[str]] = frozenset({""})

    def configure(self, configuration: Json | None) -> None:
        """Take over what the admission configuration says of this plugin, None where it says nothing. Raises ValueError."""
        if configuration is not None:
            raise ValueError("it takes no configuration")

    def handles(self, operation: str, storage: str, subresource: str) -> bool:
        return (
            operation in self.operations
            and subresource in self.subresources
            and (self.storages is None or storage in self.storages)
        )

    def mutate(self, request: Request) -> None:
        """Change `request.obj`; raises ApiError to refuse."""

    def validate(self, request: Request) -> None:
        """Raises ApiError to refuse."""

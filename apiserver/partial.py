"""PartialObjectMetadata: objects without their content."""

from __future__ import annotations

from kube.objects import Json


def of_object(obj: Json, version: str = "v1") -> Json:
    """The metadata of an object, as an object of meta.k8s.io."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj["metadata"]}


def of_list(objects: list[Json], metadata: Json, version: str = "v1") -> Json:
    """The same for a list; `metadata` is the list's."""
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "items": [of_object(obj, version) for obj in objects],
    }

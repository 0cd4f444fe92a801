"""persistentVolumeClaim: the hostPath or local volume that the claim is bound to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client import ApiStatusError, resource_path
from kube.objects import Json
from kubelet.volumes import hostpath
from kubelet.volumes.base import Context, Ready, VolumeError

if TYPE_CHECKING:
    from kube.shapes import PodLike


async def set_up(pod: PodLike, volume: Json, context: Context) -> Ready:
    reference = volume["persistentVolumeClaim"]
    return await provide(pod, reference["claimName"], bool(reference.get("readOnly")), context)


async def provide(pod: PodLike, name: str, readonly: bool, context: Context) -> Ready:
    claim = await _get(context, resource_path("v1", "persistentvolumeclaims", pod["metadata"]["namespace"], name))
    bound = (claim.get("spec") or {}).get("volumeName")
    if not bound or (claim.get("status") or {}).get("phase") != "Bound":
        raise VolumeError(f'persistentvolumeclaim "{name}" is not bound')
    volume = await _get(context, resource_path("v1", "persistentvolumes", "", bound))
    spec = volume["spec"]
    if "hostPath" in spec:
        found = hostpath.provide(spec["hostPath"]["path"], spec["hostPath"].get("type") or "")
    elif "local" in spec:
        found = hostpath.provide(spec["local"]["path"], "Directory")
    else:
        raise VolumeError(f'persistentvolume "{bound}": this kubelet mounts hostPath and local volumes only')
    return Ready(found.path, readonly=readonly)


async def _get(context: Context, path: str) -> Json:
    try:
        return await context.api.get(path)
    except ApiStatusError as error:
        raise VolumeError(error.message) from error


async def set_up_ephemeral(pod: PodLike, volume: Json, context: Context) -> Ready:
    """ephemeral: a claim of the pod's own, which a controller makes under this name."""
    return await provide(pod, f"{pod['metadata']['name']}-{volume['name']}", False, context)

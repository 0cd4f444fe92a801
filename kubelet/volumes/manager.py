"""Setting up the volumes of a pod, and where they go in its containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kube.pods import podutil
from kubelet.expand import expand
from kubelet.runtimes.base import ConfigError, Memory, Mount
from kubelet.shim import subpaths
from kubelet.volumes import claim, configmap, downward, emptydir, hostpath, image, projected, secret
from kubelet.volumes.base import Context, Ready, SetUp, VolumeError

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, PodLike

KINDS: dict[str, SetUp] = {
    "emptyDir": emptydir.set_up,
    "configMap": configmap.set_up,
    "secret": secret.set_up,
    "projected": projected.set_up,
    "downwardAPI": downward.set_up,
    "hostPath": hostpath.set_up,
    "persistentVolumeClaim": claim.set_up,
    "ephemeral": claim.set_up_ephemeral,
    "image": image.set_up,
}
LIVE = ("configMap", "secret", "projected", "downwardAPI")


async def set_up(pod: PodLike, context: Context, only_live: bool = False) -> dict[str, Ready]:
    """All volumes by name (or only those whose content follows the API); raises VolumeError naming the volume."""
    result = {}
    for volume in pod["spec"].get("volumes") or ():
        kind = next((kind for kind in KINDS if kind in volume), None)
        if only_live and kind not in LIVE:
            continue
        if kind is None:
            names = ", ".join(key for key in volume if key != "name")
            raise VolumeError(f'volume "{volume["name"]}": this kubelet has no {names}; it has {", ".join(KINDS)}')
        try:
            result[volume["name"]] = await KINDS[kind](pod, volume, context)
        except (VolumeError, ConfigError, ValueError, OSError, TimeoutError) as error:
            raise VolumeError(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error
    return result


def memory(volumes: dict[str, Ready]) -> tuple[Memory, ...]:
    return tuple(Memory(ready.path, ready.size, ready.group) for ready in volumes.values() if ready.memory)


def mounts(container: ContainerLike, volumes: dict[str, Ready], variables: dict[str, str]) -> list[Mount]:
    """The mounts of one container; raises ConfigError."""
    result = []
    for entry in container.get("volumeMounts") or ():
        ready = volumes.get(entry["name"])
        if ready is None:
            raise ConfigError(f'volumeMount "{entry["name"]}" names no volume of the pod')
        relative = entry.get("subPath") or expand(entry.get("subPathExpr") or "", variables)
        readonly = ready.readonly or bool(entry.get("readOnly"))
        if relative and not ready.memory:  # that is mounted in the pod's namespace only: the place is made there
            try:
                subpaths.provide(ready.path, relative, make=not ready.readonly)
            except (ValueError, OSError) as error:
                raise ConfigError(str(error)) from error
        result.append(Mount(ready.path, entry["mountPath"], readonly, relative))
    return result


def layout(root: Path) -> Callable[[PodLike, str, str], Path]:
    """Where volumes lie below the kubelet's root directory: pods/<uid>/volumes/<plugin>/<name>."""

    def locate(pod: PodLike, plugin: str, name: str) -> Path:
        return root / "pods" / podutil.uid(pod) / "volumes" / plugin / name

    return locate

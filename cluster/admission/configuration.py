"""The file of --admission-control-config-file: what plugins are configured with, in the form that Kubernetes gave it.

apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: EventRateLimit
  path: eventratelimit.yaml   # beside this file; or `configuration:` with the same, here
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from cluster.configfile import parsed, read
from kube.objects import Json


class _Plugin(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    path: str = ""
    configuration: dict[str, Any] | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    apiVersion: Literal["apiserver.config.k8s.io/v1"]
    kind: Literal["AdmissionConfiguration"]
    plugins: list[_Plugin] = []


def load(path: Path) -> dict[str, Json]:
    """The configuration of each plugin that the file names. Raises ValueError, which says what is wrong in which file."""
    found: dict[str, Json] = {}
    for at, plugin in enumerate(read(_File, parsed(path), str(path)).plugins):
        where = f"{path}: plugins[{at}]"
        if not plugin.name:
            raise ValueError(f"{where}: name is empty")
        if plugin.name in found:
            raise ValueError(f"{where}: {plugin.name} is configured twice")
        if plugin.path and plugin.configuration is not None:
            raise ValueError(f"{where}: {plugin.name} has both path and configuration")
        if plugin.path:
            found[plugin.name] = parsed(path.parent / plugin.path)
        elif plugin.configuration is not None:
            found[plugin.name] = plugin.configuration
    return found

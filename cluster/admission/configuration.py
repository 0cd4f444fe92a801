"""The file of --admission-control-config-file: what plugins are configured with, in the form that Kubernetes gave it.

apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: EventRateLimit
  path: eventratelimit.yaml   # beside this file; or `configuration:` with the same, here
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from kube import yamltext
from kube.objects import Json

T = TypeVar("T")


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
    for at, plugin in enumerate(read(_File, _parsed(path), str(path)).plugins):
        where = f"{path}: plugins[{at}]"
        if not plugin.name:
            raise ValueError(f"{where}: name is empty")
        if plugin.name in found:
            raise ValueError(f"{where}: {plugin.name} is configured twice")
        if plugin.path and plugin.configuration is not None:
            raise ValueError(f"{where}: {plugin.name} has both path and configuration")
        if plugin.path:
            found[plugin.name] = _parsed(path.parent / plugin.path)
        elif plugin.configuration is not None:
            found[plugin.name] = plugin.configuration
    return found


def read(form: type[T], value: Any, where: str) -> T:
    """A value as a msgspec Struct. Raises ValueError, which begins with `where`."""
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError as error:
        raise ValueError(f"{where}: {error}") from None


def _parsed(path: Path) -> Json:
    try:
        value = yamltext.parse(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except yamltext.YamlError as error:
        raise ValueError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not an object")
    return value

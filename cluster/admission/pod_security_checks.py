"""The checks of the pod security standards `baseline` and `restricted`, one function each, in the order of their report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from kube.objects import Json
from kube.pods import podutil
from kube.pods.sysctls import SAFE

if TYPE_CHECKING:
    from kube.shapes import Container

Check = Callable[[Json, "list[Container]"], str]

_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})
_VOLUMES = frozenset(
    {
        "name",
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SECCOMP = ("RuntimeDefault", "Localhost")


def violations(level: str, pod: Json) -> str:
    """What of a pod does not fit a level, in words; "" if all does. Unknown levels ask for nothing."""
    checks = LEVELS.get(level, ())
    containers = list(podutil.all_containers(pod["spec"]))
    return ", ".join(found for check in checks if (found := check(pod, containers)))


def _names(containers: Iterable[Container]) -> str:
    names = [f'"{c["name"]}"' for c in containers]
    return f"container{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _security(thing: Mapping[str, Any]) -> Json:
    return thing.get("securityContext") or {}


def _selected(containers: list[Container], test: Callable[[Json], bool]) -> list[Container]:
    return [c for c in containers if test(_security(c))]


def app_armor(pod: Json, containers: list[Container]) -> str:
    bad = [
        c
        for c in (pod["spec"], *containers)
        if (_security(c).get("appArmorProfile") or {}).get("type") not in (None, *_SECCOMP)
    ]
    return "forbidden AppArmor profile" + ("s" if len(bad) > 1 else "") if bad else ""


def capabilities_baseline(pod: Json, containers: list[Container]) -> str:
    bad = {
        c["name"]: sorted(_added(c) - _BASELINE_CAPABILITIES) for c in containers if _added(c) - _BASELINE_CAPABILITIES
    }
    return f"non-default capabilities ({_added_text(bad)})" if bad else ""


def _added(container: Container) -> set[str]:
    return set((_security(container).get("capabilities") or {}).get("add") or ())


def _added_text(bad: Mapping[str, list[str]]) -> str:
    names = ", ".join(f'"{name}"' for name in bad)
    listed = ", ".join(f'"{c}"' for c in sorted({c for added in bad.values() for c in added}))
    return (
        f"container{'s' if len(bad) > 1 else ''} {names} must not include {listed} in securityContext.capabilities.add"
    )


def host_namespaces(pod: Json, containers: list[Container]) -> str:
    found = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if pod["spec"].get(name)]
    return f"host namespaces ({', '.join(found)})" if found else ""


def host_path(pod: Json, containers: list[Container]) -> str:
    names = [f'"{v["name"]}"' for v in pod["spec"].get("volumes") or () if "hostPath" in v]
    return f"hostPath volumes (volume{'s' if len(names) > 1 else ''} {', '.join(names)})" if names else ""


def host_ports(pod: Json, containers: list[Container]) -> str:
    used = {c["name"]: [p["hostPort"] for p in c.get("ports") or () if p.get("hostPort")] for c in containers}
    used = {name: ports for name, ports in used.items() if ports}
    if not used:
        return ""
    ports = sorted({port for found in used.values() for port in found})
    names, many = ", ".join(f'"{n}"' for n in used), len(used) > 1
    return (
        f"hostPort (container{'s' if many else ''} {names} use{'' if many else 's'} "
        f"hostPort{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))})"
    )


def privileged(pod: Json, containers: list[Container]) -> str:
    bad = _selected(containers, lambda s: s.get("privileged") is True)
    return f"privileged ({_names(bad)} must not set securityContext.privileged=true)" if bad else ""


def proc_mount(pod: Json, containers: list[Container]) -> str:
    bad = _selected(containers, lambda s: s.get("procMount") not in (None, "Default"))
    return f"procMount ({_names(bad)} must not set securityContext.procMount)" if bad else ""


def selinux(pod: Json, containers: list[Container]) -> str:
    options = [_security(c).get("seLinuxOptions") or {} for c in (pod["spec"], *containers)]
    bad = any(o.get("type", "") not in _SELINUX_TYPES or o.get("user") or o.get("role") for o in options)
    return "seLinuxOptions (type, user and role may not be set to custom values)" if bad else ""


def seccomp_baseline(pod: Json, containers: list[Container]) -> str:
    bad = any(_seccomp(c) == "Unconfined" for c in (pod["spec"], *containers))
    return 'seccompProfile (type must not be "Unconfined")' if bad else ""


def _seccomp(thing: Mapping[str, Any]) -> str | None:
    return (_security(thing).get("seccompProfile") or {}).get("type")


def sysctls(pod: Json, containers: list[Container]) -> str:
    bad = [s["name"] for s in _security(pod["spec"]).get("sysctls") or () if s["name"] not in SAFE]
    return f"forbidden sysctls ({', '.join(bad)})" if bad else ""


def windows_host_process(pod: Json, containers: list[Container]) -> str:
    bad = any((_security(c).get("windowsOptions") or {}).get("hostProcess") for c in (pod["spec"], *containers))
    return "hostProcess (must not set securityContext.windowsOptions.hostProcess=true)" if bad else ""


def privilege_escalation(pod: Json, containers: list[Container]) -> str:
    bad = _selected(containers, lambda s: s.get("allowPrivilegeEscalation") is not False)
    return (
        (f"allowPrivilegeEscalation != false ({_names(bad)} must set securityContext.allowPrivilegeEscalation=false)")
        if bad
        else ""
    )


def capabilities_restricted(pod: Json, containers: list[Container]) -> str:
    undropped = [c for c in containers if "ALL" not in ((_security(c).get("capabilities") or {}).get("drop") or ())]
    added = {
        c["name"]: sorted(_added(c) - {"NET_BIND_SERVICE"}) for c in containers if _added(c) - {"NET_BIND_SERVICE"}
    }
    parts = [f'{_names(undropped)} must set securityContext.capabilities.drop=["ALL"]'] if undropped else []
    parts += [_added_text(added)] if added else []
    return f"unrestricted capabilities ({'; '.join(parts)})" if parts else ""


def restricted_volumes(pod: Json, containers: list[Container]) -> str:
    bad = [(v["name"], kind) for v in pod["spec"].get("volumes") or () for kind in v if kind not in _VOLUMES]
    if not bad:
        return ""
    kinds = ", ".join(f'"{k}"' for k in sorted({kind for _, kind in bad}))
    many, names = len(bad) > 1, ", ".join(f'"{name}"' for name, _ in bad)
    return (
        f"restricted volume types (volume{'s' if many else ''} {names} use{'' if many else 's'} restricted volume "
        f"type{'s' if ',' in kinds else ''} {kinds})"
    )


def run_as_non_root(pod: Json, containers: list[Container]) -> str:
    default = _security(pod["spec"]).get("runAsNonRoot")
    explicit = _selected(containers, lambda s: s.get("runAsNonRoot") is False)
    implicit = _selected(containers, lambda s: s.get("runAsNonRoot") is None) if not default else []
    if explicit or (default is False and implicit):
        whose = ["pod"] if default is False else []
        whose += [_names(explicit)] if explicit else []
        return f"runAsNonRoot != true ({' and '.join(whose)} must not set securityContext.runAsNonRoot=false)"
    return (
        f"runAsNonRoot != true (pod or {_names(implicit)} must set securityContext.runAsNonRoot=true)"
        if implicit
        else ""
    )


def run_as_user(pod: Json, containers: list[Container]) -> str:
    whose = ["pod"] if _security(pod["spec"]).get("runAsUser") == 0 else []
    bad = _selected(containers, lambda s: s.get("runAsUser") == 0)
    whose += [_names(bad)] if bad else []
    return f"runAsUser=0 ({' and '.join(whose)} must not set runAsUser=0)" if whose else ""


def seccomp_restricted(pod: Json, containers: list[Container]) -> str:
    default = _seccomp(pod["spec"])
    bad = [container for container in containers if (_seccomp(container) or default) not in _SECCOMP]
    return (
        (
            "seccompProfile (pod or "
            + _names(bad)
            + ' must set securityContext.seccompProfile.type to "RuntimeDefault" or '
            '"Localhost")'
        )
        if bad
        else ""
    )


_SHARED: tuple[Check, ...] = (host_ports, privileged, proc_mount, selinux)
LEVELS: dict[str, tuple[Check, ...]] = {
    "baseline": (
        app_armor,
        capabilities_baseline,
        host_namespaces,
        host_path,
        *_SHARED,
        seccomp_baseline,
        sysctls,
        windows_host_process,
    ),
    # Where restricted has a stricter check of the same thing, it stands in for the one of baseline.
    "restricted": (
        app_armor,
        host_namespaces,
        *_SHARED,
        sysctls,
        windows_host_process,
        privilege_escalation,
        capabilities_restricted,
        restricted_volumes,
        run_as_non_root,
        run_as_user,
        seccomp_restricted,
    ),
}

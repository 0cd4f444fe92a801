"""The files that the kubelet writes for every pod: hosts, resolv.conf, hostname, termination messages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kube.pods import podutil
from kubelet.runtimes.base import Mount
from kubelet.shim.logs import rotated

if TYPE_CHECKING:
    from kube.shapes import ContainerLike, PodLike

HOSTS = """# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
MAX_SEARCHES, MAX_SERVERS = 32, 3


def hosts(pod: PodLike, address: str, node: str, domain: str, machine: str) -> str:
    """`machine` is the node's own hosts file, which pods on the host's network see."""
    if pod["spec"].get("hostNetwork"):
        text = "# Kubernetes-managed hosts file (host network).\n" + machine
    else:
        names = [podutil.hostname(pod, node)]
        if pod["spec"].get("subdomain"):
            names.insert(0, f"{names[0]}.{pod['spec']['subdomain']}.{pod['metadata']['namespace']}.svc.{domain}")
        text = HOSTS + f"{address}\t" + "\t".join(names) + "\n"
    aliases = pod["spec"].get("hostAliases") or []
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join(f"{alias['ip']}\t" + "\t".join(alias.get("hostnames") or ()) + "\n" for alias in aliases)
    return text


def resolv_conf(pod: PodLike, cluster_dns: str, domain: str, machine: str) -> str:
    """By dnsPolicy and dnsConfig; without a cluster DNS server pods use the machine's."""
    policy = pod["spec"].get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and pod["spec"].get("hostNetwork"):
        policy = "Default"
    servers, searches, options = _parse(machine)
    if policy == "None":
        servers, searches, options = [], [], []
    elif policy in ("ClusterFirst", "ClusterFirstWithHostNet") and cluster_dns:
        namespace = pod["metadata"]["namespace"]
        servers = [cluster_dns]
        searches = [f"{namespace}.svc.{domain}", f"svc.{domain}", domain, *searches]
        options = ["ndots:5"]
    extra = pod["spec"].get("dnsConfig") or {}
    servers += [s for s in extra.get("nameservers") or () if s not in servers]
    searches += [s for s in extra.get("searches") or () if s not in searches]
    merged = {option.partition(":")[0]: option for option in options}
    for option in extra.get("options") or ():
        merged[option["name"]] = option["name"] + (f":{option['value']}" if option.get("value") else "")
    lines = []
    if searches:
        lines.append("search " + " ".join(searches[:MAX_SEARCHES]))
    lines += [f"nameserver {server}" for server in servers[:MAX_SERVERS]]
    if merged:
        lines.append("options " + " ".join(merged.values()))
    return "\n".join(lines) + "\n"


def _parse(text: str) -> tuple[list[str], list[str], list[str]]:
    servers: list[str] = []
    searches: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver":
            servers += rest[:1]
        elif word in ("search", "domain"):
            searches = rest
        elif word == "options":
            options = rest
    return servers, searches, options


class PodFiles:
    """Writes them below `pods/<uid>/` of the kubelet's root directory."""

    def __init__(self, root: Path, node: str, cluster_dns: str, domain: str) -> None:
        self._root, self._node, self._dns, self._domain = root, node, cluster_dns, domain

    def mounts(self, pod: PodLike, container: ContainerLike, address: str, attempt: int) -> list[Mount]:
        """The mounts of the files into one container, leaving out what the pod mounts itself."""
        folder = self._root / "pods" / podutil.uid(pod)
        folder.mkdir(parents=True, exist_ok=True)
        taken = {mount["mountPath"] for mount in container.get("volumeMounts") or ()}
        files = {
            "/etc/hosts": (folder / "etc-hosts", hosts(pod, address, self._node, self._domain, _read("/etc/hosts"))),
            "/etc/resolv.conf": (
                folder / "resolv.conf",
                resolv_conf(pod, self._dns, self._domain, _read("/etc/resolv.conf")),
            ),
            "/etc/hostname": (folder / "hostname", podutil.hostname(pod, self._node) + "\n"),
        }
        result = []
        for target, (path, text) in files.items():
            if target not in taken:
                path.write_text(text)
                result.append(Mount(str(path), target))
        message = self.termination_log(podutil.uid(pod), container["name"], attempt)
        message.parent.mkdir(parents=True, exist_ok=True)
        message.touch()
        message.chmod(0o666)
        result.append(Mount(str(message), container.get("terminationMessagePath") or "/dev/termination-log"))
        return result

    def termination_log(self, uid: str, name: str, attempt: int) -> Path:
        return self._root / "pods" / uid / "termination" / f"{name}-{attempt}"

    def forget_start(self, uid: str, name: str, attempt: int, log: str) -> None:
        """Removes the message and the logs of a start that is kept no longer."""
        for file in [self.termination_log(uid, name, attempt), *map(Path, rotated(log)), Path(log)]:
            file.unlink(missing_ok=True)


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""  # a machine without the file: pods get the cluster's entries alone

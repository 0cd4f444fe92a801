"""/stats/summary: a sample as the Summary of `stats/v1alpha1`."""

from __future__ import annotations

from kube import clock
from kube.objects import Json
from kubelet.stats.model import ContainerStats, FileSystem, Interface, NodeStats, PodStats, Snapshot, Usage


def render(snapshot: Snapshot, *, brief: bool = False) -> Json:
    """`brief`: processor time and memory alone."""
    files = None if brief else snapshot.node.files
    return {"node": _node(snapshot.node, files), "pods": [_pod(pod, files) for pod in snapshot.pods]}


def _node(node: NodeStats, files: FileSystem | None) -> Json:
    made: Json = {
        "nodeName": node.name,
        "startTime": clock.stamp(node.started_at),
        "cpu": _cpu(node.at, node.usage, node.rate),
        "memory": _memory(node.at, node.usage, node.memory_total),
    }
    if files is not None:
        made["fs"] = _files(node.at, files, files.used)
        made["runtime"] = {"imageFs": _files(node.at, files, 0)}
        if node.interfaces:
            made["network"] = _network(node.at, node.interfaces)
    return made


def _pod(pod: PodStats, files: FileSystem | None) -> Json:
    usage = pod.usage
    made: Json = {
        "podRef": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "startTime": clock.stamp(pod.started_at),
        "containers": [_container(container, files) for container in pod.containers],
        "cpu": _cpu(pod.at, usage, pod.rate),
        "memory": _memory(pod.at, usage, 0),
    }
    if files is not None:
        storage = pod.volumes + sum(container.on_disk for container in pod.containers)
        made["ephemeral-storage"] = _files(pod.at, files, storage)
        made["process_stats"] = {"process_count": usage.processes}
        if pod.interfaces:
            made["network"] = _network(pod.at, pod.interfaces)
    return made


def _container(container: ContainerStats, files: FileSystem | None) -> Json:
    made: Json = {
        "name": container.name,
        "startTime": clock.stamp(container.started_at),
        "cpu": _cpu(container.at, container.usage, container.rate),
        "memory": _memory(container.at, container.usage, container.memory_limit),
    }
    if files is not None:
        made["rootfs"] = _files(container.at, files, container.written)
        made["logs"] = _files(container.at, files, container.logs)
    return made


def _cpu(at: float, usage: Usage, rate: float | None) -> Json:
    made: Json = {"time": clock.stamp(at), "usageCoreNanoSeconds": int(usage.cpu * 1e9)}
    if rate is not None:
        made["usageNanoCores"] = int(rate * 1e9)
    return made


def _memory(at: float, usage: Usage, limit: int) -> Json:
    """`limit`: what there is of it, 0 for no bound."""
    available = {"availableBytes": max(0, limit - usage.working_set)} if limit else {}
    return {
        "time": clock.stamp(at),
        **available,
        "usageBytes": usage.memory,
        "workingSetBytes": usage.working_set,
        "rssBytes": usage.rss,
        "pageFaults": usage.page_faults,
        "majorPageFaults": usage.major_page_faults,
    }


def _files(at: float, files: FileSystem, used: int) -> Json:
    return {
        "time": clock.stamp(at),
        "availableBytes": files.available,
        "capacityBytes": files.capacity,
        "usedBytes": used,
        "inodesFree": files.inodes_free,
        "inodes": files.inodes,
        "inodesUsed": files.inodes - files.inodes_free,
    }


def _network(at: float, interfaces: list[Interface]) -> Json:
    all_of_them: list[Json] = [
        {
            "name": one.name,
            "rxBytes": one.rx_bytes,
            "rxErrors": one.rx_errors,
            "txBytes": one.tx_bytes,
            "txErrors": one.tx_errors,
        }
        for one in interfaces
    ]
    main = next((one for one in all_of_them if one["name"] == "eth0"), all_of_them[0])
    return {"time": clock.stamp(at), **main, "interfaces": all_of_them}

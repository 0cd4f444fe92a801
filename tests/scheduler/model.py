"""A slow, simple model of the filters: one pod, one node, plain dictionaries. The plugins must agree with it."""

from __future__ import annotations

from kube import quantity
from kube.objects import Json


def asked(pod: Json) -> Json:
    requests = pod["spec"]["containers"][0]["resources"]["requests"]
    return {
        "pods": 1,
        "cpu": quantity.milli(requests.get("cpu", "0")),
        "memory": quantity.units(requests.get("memory", "0")),
    }


def room(node: Json) -> Json:
    offered = node["status"]["allocatable"]
    return {
        "pods": int(offered["pods"]),
        "cpu": quantity.milli(offered["cpu"]),
        "memory": quantity.units(offered["memory"]),
    }


def used(name: str, pods: list[Json]) -> Json:
    total = {"pods": 0, "cpu": 0, "memory": 0}
    for pod in pods:
        if pod["spec"].get("nodeName") == name:
            for resource, amount in asked(pod).items():
                total[resource] += amount
    return total


def fits_resources(pod: Json, node: Json, pods: list[Json]) -> bool:
    taken, offered = used(node["metadata"]["name"], pods), room(node)
    return all(not amount or taken[r] + amount <= offered[r] for r, amount in asked(pod).items())


def tolerated(pod: Json, taint: Json) -> bool:
    for t in pod["spec"].get("tolerations", []):
        same_key = t.get("key") in (None, "", taint["key"])
        same_effect = t.get("effect") in (None, "", taint["effect"])
        same_value = t.get("operator") == "Exists" or (t.get("key") and t.get("value", "") == taint.get("value", ""))
        if same_key and same_effect and same_value:
            return True
    return False


def fits_taints(pod: Json, node: Json) -> bool:
    taints = list(node["spec"]["taints"])
    if node["spec"]["unschedulable"]:
        taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    return all(t["effect"] == "PreferNoSchedule" or tolerated(pod, t) for t in taints)


def fits_labels(pod: Json, node: Json) -> bool:
    labels = node["metadata"]["labels"]
    return all(labels.get(k) == v for k, v in pod["spec"].get("nodeSelector", {}).items())


def chosen(term: Json, owner: Json, pod: Json) -> bool:
    wanted = term["labelSelector"]["matchLabels"]
    return pod["metadata"]["namespace"] == owner["metadata"]["namespace"] and all(
        pod["metadata"]["labels"].get(k) == v for k, v in wanted.items()
    )


def terms(pod: Json, side: str) -> list[Json]:
    affinity = pod["spec"].get("affinity", {}).get(side, {})
    return affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])


def same_domain(a: Json, b: Json, key: str) -> bool:
    value = a["metadata"]["labels"].get(key)
    return value is not None and value == b["metadata"]["labels"].get(key)


def fits_apart(pod: Json, node: Json, nodes: dict[str, Json], pods: list[Json]) -> bool:
    """Neither side's anti-affinity is broken."""
    for other in pods:
        home = nodes[other["spec"]["nodeName"]]
        for mine in terms(pod, "podAntiAffinity"):
            if chosen(mine, pod, other) and same_domain(node, home, mine["topologyKey"]):
                return False
        for theirs in terms(other, "podAntiAffinity"):
            if chosen(theirs, other, pod) and same_domain(node, home, theirs["topologyKey"]):
                return False
    return True


def fits_near(pod: Json, node: Json, nodes: dict[str, Json], pods: list[Json]) -> bool:
    wanted = terms(pod, "podAffinity")
    if not wanted:
        return True
    if any(term["topologyKey"] not in node["metadata"]["labels"] for term in wanted):
        return False
    company = [o for o in pods if all(chosen(term, pod, o) for term in wanted)]
    if not company and all(chosen(term, pod, pod) for term in wanted):
        return True
    return all(any(same_domain(node, nodes[o["spec"]["nodeName"]], t["topologyKey"]) for o in company) for t in wanted)


def fits_spread(pod: Json, node: Json, nodes: dict[str, Json], pods: list[Json]) -> bool:
    constraints = [
        c for c in pod["spec"].get("topologySpreadConstraints", []) if c["whenUnsatisfiable"] == "DoNotSchedule"
    ]
    if any(c["topologyKey"] not in node["metadata"]["labels"] for c in constraints):
        return False
    counted = [
        n
        for n in nodes.values()
        if fits_labels(pod, n) and all(c["topologyKey"] in n["metadata"]["labels"] for c in constraints)
    ]
    for constraint in constraints:
        key = constraint["topologyKey"]
        sums = {n["metadata"]["labels"][key]: 0 for n in counted}
        for other in pods:
            home = nodes[other["spec"]["nodeName"]]
            if home in counted and chosen(constraint, pod, other):
                sums[home["metadata"]["labels"][key]] += 1
        least = min(sums.values(), default=0) if len(sums) >= constraint.get("minDomains", 1) else 0
        own = 1 if chosen(constraint, pod, pod) else 0
        if sums.get(node["metadata"]["labels"][key], 0) + own - least > constraint["maxSkew"]:
            return False
    return True


def fits(pod: Json, node: Json, nodes: dict[str, Json], pods: list[Json]) -> bool:
    return (
        fits_resources(pod, node, pods)
        and fits_taints(pod, node)
        and fits_labels(pod, node)
        and fits_apart(pod, node, nodes, pods)
        and fits_near(pod, node, nodes, pods)
        and fits_spread(pod, node, nodes, pods)
    )

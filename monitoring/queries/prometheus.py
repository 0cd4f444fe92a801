"""Answers from a Prometheus, by its HTTP API: the same questions over the names of cAdvisor and kube-state-metrics.

It has to scrape what our service discovery lists (deploy/prometheus): cAdvisor's figures with the label `node`, and the
object metrics, from which it takes which pods belong to which workload. Of a step it gives the mean, or the greatest, as
the embedded history does; a rate is over the step, or four scrapes where that is longer.
"""

from __future__ import annotations

import json
import math
from urllib.parse import urlencode

import orjson

from kube.objects import Json
from monitoring.queries.answer import BackendError, Labels, document, figure
from monitoring.queries.ask import Ask
from monitoring.queries.grid import Values
from web.client import HttpSession

PATIENCE = 15.0  # seconds for one query
MAX_ANSWER = 64 << 20  # bytes
MANY = 200  # parts, above which Prometheus itself chooses the greatest
FAMILIES = {
    "cpu": "container_cpu_usage_seconds_total",
    "memory": "container_memory_working_set_bytes",
    "rx": "container_network_receive_bytes_total",
    "tx": "container_network_transmit_bytes_total",
    "fs": "container_fs_usage_bytes",
    "restarts": "kube_pod_container_status_restarts_total",
}
RATES = ("cpu", "rx", "tx")
OF_CONTAINERS = ("cpu", "memory", "restarts")


class Prometheus:
    """Backend of the configuration `backend: prometheus`."""

    name = "prometheus"

    def __init__(self, url: str, interval: int) -> None:
        self._url, self._interval = url, interval

    async def answer(self, ask: Ask) -> Json:
        """Raises BackendError."""
        session = HttpSession(self._url, timeout=PATIENCE, limit=MAX_ANSWER)
        try:
            figures = {}
            for metric in ask.metrics:
                total = await self._range(session, ask, whole(ask, metric, self._interval))
                by = await self._range(session, ask, parts(ask, metric, self._interval)) if ask.by else {}
                figures[metric] = figure(ask, metric, total.get((), [None] * len(ask.times)), by)
        finally:
            session.close()
        columns = [one["total"] for one in figures.values()]
        rows = zip(ask.times, zip(*columns, strict=True), strict=True)
        newest = max((at for at, row in rows if any(value is not None for value in row)), default=0)
        return document(ask, figures, self.name, self._interval, newest)

    async def _range(self, session: HttpSession, ask: Ask, query: str) -> dict[Labels, Values]:
        """Series by their labels, on the grid of the question."""
        params = {"query": query, "start": ask.times[0], "end": ask.times[-1], "step": ask.step}
        try:
            response = await session.request("GET", f"/api/v1/query_range?{urlencode(params)}")
            answer = orjson.loads(response.body)
        except (OSError, orjson.JSONDecodeError) as error:
            raise BackendError(f"Prometheus at {self._url} does not answer: {error or type(error).__name__}") from error
        if not isinstance(answer, dict) or answer.get("status") != "success":
            why = answer.get("error") if isinstance(answer, dict) else ""
            raise BackendError(f"Prometheus at {self._url} refuses: {why or response.status}")
        places = {at: place for place, at in enumerate(ask.times)}
        found: dict[Labels, Values] = {}
        for series in answer["data"]["result"]:
            values = found.setdefault(tuple(sorted(series["metric"].items())), [None] * len(places))
            for at, text in series["values"]:
                place, value = places.get(round(at)), float(text)
                if place is not None and math.isfinite(value):
                    values[place] = value
        return found


# -- PromQL --------------------------------------------------------------------------------------------------------------


def whole(ask: Ask, metric: str, interval: int) -> str:
    """The query for the figure of the whole."""
    if metric == "restarts" or ask.namespace:
        return f"sum({_measured(ask, metric, interval)})"
    # Of nodes and the cluster what the machines use, pods or not.
    return f"sum({_over(metric, _selector(FAMILIES[metric], {**_of_node(ask), 'id': '/'}), ask, interval)})"


def parts(ask: Ask, metric: str, interval: int) -> str:
    """The query for its parts."""
    if ask.by == "workload":
        return _by_workload(_measured(ask, metric, interval))
    if ask.by == "node":
        one = _over(metric, _selector(FAMILIES[metric], {"id": "/"}), ask, interval)
        return f"sum by (node) ({one})"
    labels = {"pod": "namespace, pod", "container": "container"}.get(ask.by, ask.by)
    summed = f"sum by ({labels}) ({_measured(ask, metric, interval, every=ask.by == 'container')})"
    return f"topk({MANY}, {summed})" if ask.by == "pod" and not ask.workload else summed


def _measured(ask: Ask, metric: str, interval: int, every: bool = False) -> str:
    """What pods or their containers use; of a workload, its pods. `every`: of containers, what pods have as a whole too."""
    labels = {"namespace": ask.namespace, "pod": ask.pod, "container": ask.container, **_of_node(ask)}
    matchers = {name: value for name, value in labels.items() if value}
    if metric in OF_CONTAINERS or every or ask.container:
        # With an id: kubelets tell the same under the same name, without one, at /metrics/resource.
        with_id = () if metric == "restarts" else ('id!=""',)
        selector = _selector(FAMILIES[metric], matchers, 'container!=""', 'pod!=""', *with_id)
    else:
        selector = _selector(FAMILIES[metric], {**matchers, "container": ""}, 'pod!=""', 'id!=""')
    found = _over(metric, selector, ask, interval)
    if not ask.workload:
        return found
    kind, _, name = ask.workload.partition("/")
    return f"{found} * on (namespace, pod) group_left () {_pods_of(ask.namespace, kind, name)}"


def _over(metric: str, selector: str, ask: Ask, interval: int) -> str:
    """A figure over a step."""
    window = max(ask.step, 4 * interval)
    if metric == "restarts":
        # Not increase(): that stretches what it saw to the ends of its window, and a restart would be 1.07 restarts.
        return f"clamp_min({selector} - ({selector} offset {ask.step}s), 0)"
    if metric in RATES:
        rate = f"rate({selector}[{window}s])"
        return f"max_over_time({rate}[{ask.step}s:{interval}s])" if ask.stat == "max" else rate
    # Samples that bring their own time are never marked as ended: a container that began anew would count twice for five
    # minutes.
    if ask.step <= interval:
        return f"max without (id, name, image) (last_over_time({selector}[{2 * interval}s]))"
    which = "max" if ask.stat == "max" else "avg"
    return f"max without (id, name, image) ({which}_over_time({selector}[{ask.step}s]))"


def _pods_of(namespace: str, kind: str, name: str) -> str:
    """1 for each pod of a workload, with the labels namespace and pod. Remembered for an hour: pods that are gone count."""
    if kind != "Deployment":
        owned = _selector("kube_pod_owner", {"namespace": namespace, "owner_kind": kind, "owner_name": name})
        return f"max by (namespace, pod) ({owned})"
    sets = _selector("kube_replicaset_owner", {"namespace": namespace, "owner_kind": kind, "owner_name": name})
    owned = _selector("kube_pod_owner", {"namespace": namespace, "owner_kind": "ReplicaSet"})
    return (
        f'(max by (namespace, pod, replicaset) (label_replace({owned}, "replicaset", "$1", "owner_name", "(.*)")) '
        f"* on (namespace, replicaset) group_left () max by (namespace, replicaset) ({sets}))"
    )


def _by_workload(measured: str) -> str:
    """Summed by `<kind>/<name>` of what made the pods, above replica sets."""
    plain = 'kube_pod_owner{owner_kind!~"ReplicaSet|Node|<none>|",owner_is_controller="true"}'
    direct = (
        "label_join(max by (namespace, pod, owner_kind, owner_name) (" + plain + "), "
        '"workload", "/", "owner_kind", "owner_name")'
    )
    sets = (
        "label_join(max by (namespace, replicaset, owner_kind, owner_name) "
        '(kube_replicaset_owner{owner_kind!="",owner_kind!="<none>"}), "workload", "/", "owner_kind", "owner_name")'
    )
    behind = (
        'label_replace(max by (namespace, pod, owner_name) (kube_pod_owner{owner_kind="ReplicaSet"}), '
        f'"replicaset", "$1", "owner_name", "(.*)") * on (namespace, replicaset) group_left (workload) {sets}'
    )
    owners = f"(max by (namespace, pod, workload) ({direct}) or max by (namespace, pod, workload) ({behind}))"
    return (
        f"sum by (namespace, workload) (sum by (namespace, pod) ({measured}) "
        f"* on (namespace, pod) group_left (workload) {owners})"
    )


def _of_node(ask: Ask) -> dict[str, str]:
    return {"node": ask.node} if ask.node else {}


def _selector(family: str, labels: dict[str, str], *more: str) -> str:
    matchers = [f"{name}={json.dumps(value)}" for name, value in labels.items()]
    return f"{family}{{{','.join([*matchers, *more])}}}"

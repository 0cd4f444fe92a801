"""A small cluster, written straight into the store: what the dashboard's tests look at."""

from __future__ import annotations

import time
import uuid
from typing import Any

from cluster.store import Key, Store, Write
from kube import clock
from kube.objects import Json

NODE_NAMES = ("harbor-1", "harbor-2", "harbor-3")


def ago(seconds: float) -> str:
    return clock.stamp(time.time() - seconds)


def meta(name: str, namespace: str = "", age: float = 3600, owner: Json | None = None, **more: Any) -> Json:
    found: Json = {
        "name": name,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{namespace}/{name}/{age}")),
        "creationTimestamp": ago(age),
        **more,
    }
    if namespace:
        found["namespace"] = namespace
    if owner:
        found["ownerReferences"] = [
            {
                "apiVersion": owner["apiVersion"],
                "kind": owner["kind"],
                "controller": True,
                "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"],
            }
        ]
    return found


def namespace(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": meta(name, age=90_000),
        "spec": {},
        "status": {"phase": "Active"},
    }


def node(name: str, ready: bool = True) -> Json:
    amounts = {"cpu": "8", "memory": "16Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    condition = {
        "type": "Ready",
        "status": "True" if ready else "Unknown",
        "lastTransitionTime": ago(300),
        "reason": "KubeletReady" if ready else "NodeStatusUnknown",
        "message": "kubelet is posting ready status" if ready else "Kubelet stopped posting node status.",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta(name, age=90_000, labels={"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}),
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [condition],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.7"}, {"type": "Hostname", "address": name}],
            "nodeInfo": {
                "kubeletVersion": "v1.36.3",
                "osImage": "Debian GNU/Linux 12",
                "architecture": "amd64",
                "kernelVersion": "6.1.0",
                "containerRuntimeVersion": "process://1",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
            },
        },
    }


def deployment(name: str, namespace: str, replicas: int, ready: int) -> Json:
    labels = {"app": name}
    available = {
        "type": "Available",
        "status": "True" if ready >= replicas else "False",
        "lastTransitionTime": ago(900),
        "reason": "MinimumReplicasAvailable" if ready >= replicas else "MinimumReplicasUnavailable",
        "message": "Deployment has minimum availability."
        if ready >= replicas
        else "Deployment does not have minimum availability.",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(
            name, namespace, 7200, labels=labels, generation=2, annotations={"deployment.kubernetes.io/revision": "2"}
        ),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container(name)]}},
        },
        "status": {
            "replicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": replicas,
            "observedGeneration": 2,
            "conditions": [available],
        },
    }


def replica_set(of: Json, suffix: str) -> Json:
    name = f"{of['metadata']['name']}-{suffix}"
    count = of["spec"]["replicas"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": meta(name, of["metadata"]["namespace"], 7100, of, labels=of["metadata"]["labels"]),
        "spec": {"replicas": count, "selector": of["spec"]["selector"], "template": of["spec"]["template"]},
        "status": {
            "replicas": count,
            "readyReplicas": of["status"]["readyReplicas"],
            "availableReplicas": of["status"]["availableReplicas"],
            "observedGeneration": 1,
        },
    }


def container(name: str, **more: Any) -> Json:
    return {
        "name": name,
        "image": f"host/{name}:1.4",
        "command": ["python3", "-m", name],
        "ports": [{"containerPort": 8000, "protocol": "TCP"}],
        "resources": {"requests": {"cpu": "250m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8000}},
        **more,
    }


def pod(
    name: str,
    namespace: str,
    owner: Json | None = None,
    age: float = 3000,
    on: str = NODE_NAMES[0],
    status: Json | None = None,
    labels: Json | None = None,
    **more: Any,
) -> Json:
    """A running pod, or one with another status."""
    app = (owner or {}).get("metadata", {}).get("labels", {}).get("app", "tool")
    env = [{"name": "LOG_LEVEL", "value": "info"}, {"name": "DB_PASSWORD", "value": "hunter2-very-secret"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta(name, namespace, age, owner, labels=labels or {"app": app}),
        "spec": {
            "nodeName": on,
            "restartPolicy": "Always",
            "serviceAccountName": "default",
            "containers": [container(app, env=env)],
            **more,
        },
        "status": running(app, age) if status is None else status,
    }


def running(app: str, age: float, restarts: int = 0) -> Json:
    return {
        "phase": "Running",
        "podIP": "10.244.0.9",
        "podIPs": [{"ip": "10.244.0.9"}],
        "hostIP": "10.0.0.7",
        "startTime": ago(age),
        "qosClass": "Burstable",
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": ago(age - 1)}
            for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ],
        "containerStatuses": [
            {
                "name": app,
                "ready": True,
                "started": True,
                "restartCount": restarts,
                "image": f"host/{app}:1.4",
                "imageID": "",
                "containerID": "process://1",
                "state": {"running": {"startedAt": ago(age - 1)}},
            }
        ],
    }


def crashing(app: str) -> Json:
    """The status of a pod whose container ends with exit code 1 again and again."""
    found = running(app, 1800)
    found["conditions"] = [
        {
            "type": "Ready",
            "status": "False",
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{app}]",
            "lastTransitionTime": ago(60),
        },
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(1800)},
    ]
    found["containerStatuses"][0].update(
        ready=False,
        restartCount=7,
        state={
            "waiting": {
                "reason": "CrashLoopBackOff",
                "message": f"back-off 2m40s restarting failed container={app} pod=… in the process runtime",
            }
        },
        lastState={"terminated": {"exitCode": 1, "reason": "Error", "startedAt": ago(75), "finishedAt": ago(70)}},
    )
    return found


def unschedulable() -> Json:
    return {
        "phase": "Pending",
        "qosClass": "Burstable",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "lastTransitionTime": ago(400),
                "message": "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.",
            }
        ],
    }


def event(
    about: Json,
    name: str,
    reason: str,
    message: str,
    kind: str = "Normal",
    age: float = 60,
    count: int = 1,
    component: str = "kubelet",
    field: str = "",
) -> Json:
    m = about["metadata"]
    where = m.get("namespace", "default")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": meta(name, where, age),
        "type": kind,
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": ago(age + 600),
        "lastTimestamp": ago(age),
        "source": {"component": component, "host": NODE_NAMES[0]},
        "reportingComponent": component,
        "reportingInstance": "",
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": m["name"],
            "namespace": m.get("namespace", ""),
            "uid": m["uid"],
            **({"fieldPath": field} if field else {}),
        },
    }


def service(name: str, namespace: str, selector: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta(name, namespace, 7000, labels={"app": name}),
        "spec": {
            "type": "NodePort",
            "clusterIP": "10.96.12.7",
            "clusterIPs": ["10.96.12.7"],
            "selector": selector,
            "sessionAffinity": "None",
            "ports": [{"name": "http", "port": 80, "targetPort": 8000, "nodePort": 30080, "protocol": "TCP"}],
        },
        "status": {"loadBalancer": {}},
    }


def config_map(name: str, namespace: str, data: Json, **more: Any) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta(name, namespace, 7000, **more), "data": data}


def volume(name: str, storage: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": meta(name),
        "spec": {"capacity": {"storage": storage}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp"}},
        "status": {"phase": "Available"},
    }


def secret(name: str, namespace: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": meta(name, namespace, 7000),
        "data": {"password": "aHVudGVyMi12ZXJ5LXNlY3JldA==", "user": "YWRtaW4="},
    }


def definition(plural: str, kind: str, columns: list[Json]) -> Json:
    """An established CustomResourceDefinition in the group example.com."""
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": meta(f"{plural}.example.com"),
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": names,
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "additionalPrinterColumns": columns,
                }
            ],
        },
        "status": {
            "acceptedNames": names,
            "storedVersions": ["v1"],
            "conditions": [{"type": "Established", "status": "True", "lastTransitionTime": ago(1)}],
        },
    }


STORAGES = {
    "CustomResourceDefinition": "customresourcedefinitions.apiextensions.k8s.io",
    "Namespace": "namespaces",
    "Node": "nodes",
    "Deployment": "deployments.apps",
    "ReplicaSet": "replicasets.apps",
    "PersistentVolume": "persistentvolumes",
    "Pod": "pods",
    "Event": "events",
    "Service": "services",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "ServiceAccount": "serviceaccounts",
    "ClusterRole": "clusterroles.rbac.authorization.k8s.io",
    "ClusterRoleBinding": "clusterrolebindings.rbac.authorization.k8s.io",
    "Role": "roles.rbac.authorization.k8s.io",
    "RoleBinding": "rolebindings.rbac.authorization.k8s.io",
    "APIService": "apiservices.apiregistration.k8s.io",
}


def key(obj: Json) -> Key:
    return Key(STORAGES[obj["kind"]], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def create(store: Store, *objects: Json) -> None:
    for result in store.write_many([Write("create", key(obj), obj) for obj in objects]):
        if isinstance(result, Exception):
            raise result


def update(store: Store, obj: Json) -> None:
    store.write(Write("update", key(obj), obj))


def delete(store: Store, obj: Json) -> None:
    store.write(Write("delete", key(obj), obj))


def populate(store: Store) -> dict[str, Json]:
    """The whole small world; returns the objects that tests speak of."""
    create(store, *(namespace(name) for name in ("default", "kube-system", "guestbook", "ledger")))
    create(store, node(NODE_NAMES[0]), node(NODE_NAMES[1]), node(NODE_NAMES[2], ready=False))
    web, ledger = deployment("web", "guestbook", 3, 3), deployment("ledger", "ledger", 2, 0)
    web_set, ledger_set = replica_set(web, "7c9d6b5f44"), replica_set(ledger, "5f6d8c7b9")
    webs = [
        pod(f"web-7c9d6b5f44-{tail}", "guestbook", web_set, on=NODE_NAMES[i % 2])
        for i, tail in enumerate(("4xk2p", "9mzqd", "tr8wl"))
    ]
    broken = pod("ledger-5f6d8c7b9-hq2vn", "ledger", ledger_set, 1800, status=crashing("ledger"))
    waiting = pod("ledger-5f6d8c7b9-w7d4s", "ledger", ledger_set, 400, on="", status=unschedulable())
    system = [pod(name, "kube-system", age=80_000, labels={"k8s-app": name}) for name in ("dashboard-6f7d9-b8kq2",)]
    create(store, web, ledger, web_set, ledger_set, *webs, broken, waiting, *system)
    create(
        store,
        service("web", "guestbook", {"app": "web"}),
        secret("web-db", "guestbook"),
        config_map(
            "web-config", "guestbook", {"settings.toml": "[server]\nport = 8000\nworkers = 4\n", "greeting": "Ahoy!"}
        ),
    )
    create(store, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("default", "guestbook", 9000)})
    create(store, *_events(webs[0], broken, waiting, ledger))
    return {"web": web, "ledger": ledger, "webs": webs, "broken": broken, "waiting": waiting, "web_set": web_set}


def _events(web: Json, broken: Json, waiting: Json, ledger: Json) -> list[Json]:
    field = "spec.containers{ledger}"
    return [
        event(web, "web.started", "Started", "Started container web", age=2999, field="spec.containers{web}"),
        event(
            broken,
            "ledger.backoff",
            "BackOff",
            "Back-off restarting failed container ledger in pod ledger-5f6d8c7b9-hq2vn",
            "Warning",
            30,
            23,
            field=field,
        ),
        event(
            broken,
            "ledger.unhealthy",
            "Unhealthy",
            'Readiness probe failed: Get "http://10.244.0.9:8000/ready": '
            "dial tcp 10.244.0.9:8000: connect: connection refused",
            "Warning",
            90,
            5,
            field=field,
        ),
        event(
            waiting,
            "ledger.unscheduled",
            "FailedScheduling",
            "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.",
            "Warning",
            20,
            4,
            "default-scheduler",
        ),
        event(
            ledger,
            "ledger.scaled",
            "ScalingReplicaSet",
            "Scaled up replica set ledger-5f6d8c7b9 from 0 to 2",
            age=1800,
            component="deployment-controller",
        ),
    ]

"""PodSecurity: the pod security standard that a namespace's labels ask for, enforced on pods, warned about on templates."""

from __future__ import annotations

from typing import Any

from cluster.admission.plugin import CREATE, UPDATE, Plugin
from cluster.admission.pod_security_checks import violations
from cluster.admission.request import Request
from cluster.store import Key

PREFIX = "pod-security.kubernetes.io/"
TEMPLATES = {
    "podtemplates": ("template",),
    "replicationcontrollers": ("spec", "template"),
    "deployments.apps": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}


class PodSecurity(Plugin):
    operations = frozenset({CREATE, UPDATE})
    storages = frozenset({"pods", *TEMPLATES})
    subresources = frozenset({"", "ephemeralcontainers"})

    def validate(self, request: Request) -> None:
        namespace = request.cache.get(Key("namespaces", "", request.namespace))
        labels = namespace.labels if namespace else {}
        if not any(label.startswith(PREFIX) for label in labels):
            return
        # Updates are looked at only when they change what is checked.
        if request.operation == UPDATE and request.old and request.old.get("spec") == request.obj.get("spec"):
            return
        pod: Any = request.obj  # or the template of one
        for part in TEMPLATES.get(request.kind.storage, ()):
            pod = pod.get(part) if isinstance(pod, dict) else None
        if not isinstance(pod, dict) or not pod.get("spec"):
            return
        enforced = labels.get(f"{PREFIX}enforce", "")
        found = violations(enforced, pod)
        if found:
            text = f'violate PodSecurity "{enforced}:{labels.get(f"{PREFIX}enforce-version", "latest")}": {found}'
            if request.kind.storage == "pods":
                raise request.forbid(text.replace("violate", "violates", 1))
        warned = labels.get(f"{PREFIX}warn", "")
        found_too = violations(warned, pod) if warned else found
        level = warned or enforced
        if found_too:
            version = labels.get(f"{PREFIX}{'warn' if warned else 'enforce'}-version", "latest")
            request.warnings.append(f'would violate PodSecurity "{level}:{version}": {found_too}')

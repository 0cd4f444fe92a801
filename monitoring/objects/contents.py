"""kube_configmap_*, kube_secret_*: that they are there, of which type and version. Their contents are kept nowhere."""

from __future__ import annotations

from collections.abc import Iterable

from kube.objects import Json
from monitoring.objects.families import Families, Sample
from monitoring.objects.selection import labels

CONFIGMAPS = Families("v1", "configmaps", namespace="namespace", configmap="name")
SECRETS = Families("v1", "secrets", namespace="namespace", secret="name")

for _families, _prefix in ((CONFIGMAPS, "kube_configmap"), (SECRETS, "kube_secret")):
    _families.info(_prefix)
    _families.created(_prefix)
    _families.version(_prefix)
    _families.selectable(_prefix)
SECRETS.owners("kube_secret_owner")


@SECRETS.gauge("kube_secret_type", "Type about secret.")
def kind(secret: Json) -> Iterable[Sample]:
    return ((labels(type=secret.get("type")), 1),)

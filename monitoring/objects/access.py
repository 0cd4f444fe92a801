"""kube_serviceaccount_*, kube_role*, kube_clusterrole*, kube_certificatesigningrequest_*, kube_lease_*"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator

from kube.objects import Json
from monitoring.objects.families import Families, Sample, find, flag, owners, seconds
from monitoring.objects.selection import labels

ACCOUNTS = Families("v1", "serviceaccounts", namespace="namespace", serviceaccount="name", uid="uid")
ROLES = Families("rbac.authorization.k8s.io/v1", "roles", namespace="namespace", role="name")
ROLEBINDINGS = Families("rbac.authorization.k8s.io/v1", "rolebindings", namespace="namespace", rolebinding="name")
CLUSTERROLES = Families("rbac.authorization.k8s.io/v1", "clusterroles", clusterrole="name")
CLUSTERROLEBINDINGS = Families("rbac.authorization.k8s.io/v1", "clusterrolebindings", clusterrolebinding="name")
REQUESTS = Families(
    "certificates.k8s.io/v1",
    "certificatesigningrequests",
    also=lambda obj: labels(signer_name=obj["spec"].get("signerName")),
    certificatesigningrequest="name",
)
LEASES = Families("coordination.k8s.io/v1", "leases", lease="name")


@ACCOUNTS.gauge("kube_serviceaccount_info", "Information about a service account.")
def account(obj: Json) -> Iterable[Sample]:
    return ((labels(automount_token=flag(obj.get("automountServiceAccountToken"))), 1),)


ACCOUNTS.created("kube_serviceaccount")
ACCOUNTS.time("kube_serviceaccount_deleted", "Unix deletion timestamp.", "metadata", "deletionTimestamp")


def _names(name: str, field: str) -> None:
    ACCOUNTS.add(
        f"kube_serviceaccount_{name}",
        f"What the service account names among its {field}.",
        lambda obj: ((labels(name=each.get("name")), 1) for each in obj.get(field) or ()),
    )


_names("secret", "secrets")
_names("image_pull_secret", "imagePullSecrets")
ACCOUNTS.selectable("kube_serviceaccount")


def _role(families: Families, prefix: str) -> None:
    families.info(prefix)
    families.created(prefix)
    families.version(prefix)
    families.selectable(prefix)


def _bound(binding: Json) -> Iterable[Sample]:
    role = binding["roleRef"]
    return ((labels(roleref_kind=role["kind"], roleref_name=role["name"]), 1),)


for _families, _prefix in ((ROLES, "kube_role"), (CLUSTERROLES, "kube_clusterrole")):
    _role(_families, _prefix)
for _families, _prefix in ((ROLEBINDINGS, "kube_rolebinding"), (CLUSTERROLEBINDINGS, "kube_clusterrolebinding")):
    _families.add(f"{_prefix}_info", "The role that is bound.", _bound)
    _families.created(_prefix)
    _families.version(_prefix)
    _families.selectable(_prefix)


@REQUESTS.gauge("kube_certificatesigningrequest_condition", "The number of each certificatesigningrequest condition.")
def judged(request: Json) -> Iterator[Sample]:
    found = [condition["type"] for condition in find(request, "status", "conditions") or ()]
    return ((labels(condition=each.lower()), found.count(each)) for each in ("Approved", "Denied", "Failed"))


REQUESTS.created("kube_certificatesigningrequest")
REQUESTS.selectable("kube_certificatesigningrequest")


@REQUESTS.gauge("kube_certificatesigningrequest_cert_length", "Length of the issued cert.")
def length(request: Json) -> Iterable[Sample]:
    return (("", len(base64.b64decode(find(request, "status", "certificate") or ""))),)


def _holder(lease: Json) -> str:
    return labels(namespace=lease["metadata"]["namespace"], lease_holder=find(lease, "spec", "holderIdentity"))


@LEASES.gauge("kube_lease_owner", "Information about the Lease's owner.")
def owner(lease: Json) -> Iterator[Sample]:
    for each in owners(lease):
        yield labels(owner_kind=each.get("kind"), owner_name=each.get("name")) + _holder(lease), 1


@LEASES.gauge("kube_lease_renew_time", "Kube lease renew time.")
def renewed(lease: Json) -> Iterable[Sample]:
    at = find(lease, "spec", "renewTime")
    return ((labels(namespace=lease["metadata"]["namespace"]), seconds(at)),) if at else ()

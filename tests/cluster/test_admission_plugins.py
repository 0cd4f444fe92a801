"""Admission of what would hand rights to who has none: certificates, owners, addresses, images, places."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.admission.chain import default_chain
from cluster.cache import Cache
from cluster.store import Store
from cluster.verbs import Session
from kube.errors import Forbidden
from kube.objects import Json
from kube.users import AUTHENTICATED, User
from tests.cluster.sessions import NS, config, make, pod
from tests.csr import request

CSRS = "certificatesigningrequests.certificates.k8s.io"
CLIENT = "kubernetes.io/kube-apiserver-client"
BOB = User("bob", groups=(AUTHENTICATED,))
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture
def admin(cache: Cache, store: Store) -> Session:
    return make(cache, store)


def act(admin: Session, *plugins: str, user: User = BOB) -> Session:
    """A session for `user`, with these plugins beside the ones that are on by default."""
    return Session(1, user, admin.cache, admin.store, chain=default_chain(plugins))


def grant(admin: Session, verb: str, group: str, resource: str, *names: str) -> None:
    """A right for BOB in the whole cluster."""
    rule: Json = {"verbs": [verb], "apiGroups": [group], "resources": [resource]}
    if names:
        rule["resourceNames"] = list(names)
    role = f"{verb}-{resource.replace('/', '-')}"
    admin.create(f"clusterroles.{RBAC}", "", {"metadata": {"name": role}, "rules": [rule]})
    admin.create(
        f"clusterrolebindings.{RBAC}",
        "",
        {
            "metadata": {"name": role},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": BOB.name}],
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        },
    )


def csr(signer: str = CLIENT, group: str = "developers") -> Json:
    spec = {"request": request("bob", group), "signerName": signer, "usages": ["client auth"]}
    return {"metadata": {"name": "c"}, "spec": spec}


def approve(session: Session) -> None:
    condition = {"type": "Approved", "status": "True", "reason": "Test", "message": "by a test"}
    session.mutate(CSRS, "", "c", lambda obj: obj.setdefault("status", {}).update(conditions=[condition]), "approval")


@pytest.mark.parametrize(
    ("names", "may"),
    [((), False), (("example.com/other",), False), (("example.com/mine",), True), (("example.com/*",), True)],
)
def test_to_approve_needs_the_right_for_the_signer(admin: Session, names: tuple[str, ...], may: bool) -> None:
    admin.create(CSRS, "", csr("example.com/mine"))
    if names:
        grant(admin, "approve", "certificates.k8s.io", "signers", *names)
    if may:
        approve(act(admin))
    else:
        with pytest.raises(Forbidden, match=r'not permitted to approve requests with signerName "example\.com/mine"'):
            approve(act(admin))


def test_to_sign_needs_the_right_for_the_signer(admin: Session) -> None:
    admin.create(CSRS, "", csr())
    approve(admin)

    def fail(obj: Json) -> None:
        obj["status"]["conditions"].append({"type": "Failed", "status": "True", "reason": "x", "message": "y"})

    bob = act(admin)
    bob.mutate(CSRS, "", "c", lambda obj: None, "status")
    with pytest.raises(Forbidden, match=f'not permitted to sign requests with signerName "{CLIENT}"'):
        bob.mutate(CSRS, "", "c", fail, "status")
    grant(admin, "sign", "certificates.k8s.io", "signers", CLIENT)
    bob.mutate(CSRS, "", "c", fail, "status")
    [_, failed] = (admin.get(CSRS, "", "c") or {})["status"]["conditions"]
    assert failed["type"] == "Failed"


def test_nobody_asks_for_a_certificate_of_the_masters(admin: Session) -> None:
    with pytest.raises(Forbidden, match=f"use of {CLIENT} signer with system:masters group is not allowed"):
        admin.create(CSRS, "", csr(group="system:masters"))
    admin.create(CSRS, "", csr("example.com/mine", group="system:masters"))  # another signer's own affair


def owned(block: bool = False) -> list[Json]:
    owner: Json = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u"}
    return [{**owner, "blockOwnerDeletion": True} if block else owner]


def test_owners_are_named_by_who_may_delete_the_object_and_block_the_owner(admin: Session) -> None:
    bob = act(admin, "OwnerReferencesPermissionEnforcement")
    bob.create("configmaps", NS, config("free"))
    with pytest.raises(Forbidden, match="cannot set an ownerRef on a resource you can't delete"):
        bob.create("configmaps", NS, {"metadata": {"name": "a", "ownerReferences": owned()}})
    with pytest.raises(Forbidden, match="cannot set an ownerRef on a resource you can't delete"):
        bob.mutate("configmaps", NS, "free", lambda obj: obj["metadata"].update(ownerReferences=owned()))
    grant(admin, "delete", "", "configmaps")
    bob.create("configmaps", NS, {"metadata": {"name": "a", "ownerReferences": owned()}})
    with pytest.raises(Forbidden, match="refers to a resource you can't set finalizers on"):
        bob.create("configmaps", NS, {"metadata": {"name": "b", "ownerReferences": owned(block=True)}})
    with pytest.raises(Forbidden, match="refers to a resource you can't set finalizers on"):
        bob.mutate("configmaps", NS, "a", lambda obj: obj["metadata"].update(ownerReferences=owned(block=True)))
    stranger = {**owned(block=True)[0], "apiVersion": "example.com/v1"}
    with pytest.raises(Forbidden, match=r"cannot find RESTMapping for APIVersion example\.com/v1 Kind Deployment"):
        bob.create("configmaps", NS, {"metadata": {"name": "b", "ownerReferences": [stranger]}})
    grant(admin, "update", "apps", "deployments/finalizers")
    bob.create("configmaps", NS, {"metadata": {"name": "b", "ownerReferences": owned(block=True)}})
    bob.mutate("configmaps", NS, "b", lambda obj: obj.update(data={"k": "v"}))


def service(*addresses: str) -> Json:
    return {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "externalIPs": list(addresses)}}


def test_external_addresses_of_services_are_refused_and_what_is_set_may_stay_or_go(admin: Session) -> None:
    bob = act(admin, "DenyServiceExternalIPs")
    with pytest.raises(Forbidden, match="Use of external IPs is denied by admission control"):
        bob.create("services", NS, service("192.0.2.1"))
    admin.create("services", NS, service("192.0.2.1", "192.0.2.2"))
    bob.mutate("services", NS, "s", lambda obj: obj["spec"].update(externalIPs=["192.0.2.2"]))
    with pytest.raises(Forbidden):
        bob.mutate("services", NS, "s", lambda obj: obj["spec"].update(externalIPs=["192.0.2.3"]))
    bob.mutate("services", NS, "s", lambda obj: obj["spec"].pop("externalIPs") and None)


def test_images_are_always_pulled(admin: Session) -> None:
    init: list[dict[str, Any]] = [{"name": "i", "image": "host:1", "imagePullPolicy": "Never"}]
    made = act(admin, "AlwaysPullImages").create("pods", NS, pod(initContainers=init))
    spec = made["spec"]
    assert [c["imagePullPolicy"] for c in (*spec["initContainers"], *spec["containers"])] == ["Always", "Always"]


def test_who_asks_for_a_device_may_run_where_it_is(admin: Session) -> None:
    devices = {"example.com/gpu": "1", "cpu": "1"}
    container = {"name": "c", "image": "host", "resources": {"requests": devices, "limits": devices}}
    made = act(admin, "ExtendedResourceToleration").create("pods", NS, pod(containers=[container]))
    wanted = {"key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert [t for t in made["spec"]["tolerations"] if t["effect"] == "NoSchedule"] == [wanted]


def test_no_pod_keeps_others_out_of_a_zone(admin: Session) -> None:
    def apart(key: str) -> Json:
        term = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "web"}}}
        return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}

    bob = act(admin, "LimitPodHardAntiAffinityTopology")
    bob.create("pods", NS, pod("a", affinity=apart("kubernetes.io/hostname")))
    with pytest.raises(Forbidden, match=r"has TopologyKey topology\.kubernetes\.io/zone but only key kubernetes\.io/h"):
        bob.create("pods", NS, pod("b", affinity=apart("topology.kubernetes.io/zone")))


def put_node(admin: Session) -> None:
    admin.create("nodes", "", {"metadata": {"name": "n"}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "10.0.0.7"}, {"type": "Hostname", "address": "n"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
    }
    admin.mutate("nodes", "", "n", lambda node: node.update(status=status), subresource="status")
    admin.create("namespaces", "", {"metadata": {"name": "kube-system"}})
    dns = {"clusterIP": "10.96.0.10", "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}]}
    admin.create("services", "kube-system", {"metadata": {"name": "kube-dns"}, "spec": dns})


@pytest.mark.parametrize(
    ("address", "port", "who"),
    [
        ("10.0.0.7", 6443, "the API server"),
        ("10.0.0.7", 10250, "the kubelet of node n"),
        ("10.0.0.7", 8080, "the dashboard"),
        ("10.96.0.10", 53, "the service kube-system/kube-dns"),
        ("10.0.0.7", 80, ""),
        ("192.0.2.1", 6443, ""),
        ("10.96.0.10", 80, ""),
    ],
)
def test_no_service_takes_an_address_of_the_cluster_itself(admin: Session, address: str, port: int, who: str) -> None:
    put_node(admin)
    taking = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": port}], "externalIPs": [address]}}
    plain = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": port}]}}
    if not who:
        admin.create("services", NS, taking)
        return
    with pytest.raises(Forbidden, match=f"{address}:{port} is taken: {who} listens there"):
        admin.create("services", NS, taking)
    admin.create("services", NS, plain)
    with pytest.raises(Forbidden, match=f"{who} listens there"):
        admin.mutate("services", NS, "s", lambda obj: obj["spec"].update(externalIPs=[address]))


@pytest.mark.parametrize(
    ("port", "address", "who"),
    [
        (6443, "", "the API server"),
        (6443, "0.0.0.0", "the API server"),
        (6443, "10.0.0.7", "the API server"),
        (10250, "127.0.0.1", "the kubelet of node n"),
        (8080, "", "the dashboard"),
        (6443, "192.0.2.1", ""),
        (80, "", ""),
    ],
)
@pytest.mark.parametrize("network", ["own", "host"])
def test_no_pod_takes_a_port_of_the_cluster_itself(
    admin: Session, network: str, port: int, address: str, who: str
) -> None:
    put_node(admin)
    exposed: Json = {"containerPort": port, "hostPort": port, **({"hostIP": address} if address else {})}
    made = pod(containers=[{"name": "c", "image": "host", "ports": [exposed]}], hostNetwork=network == "host")
    if who:
        with pytest.raises(Forbidden, match=f"host port {port} is taken: {who} listens there"):
            admin.create("pods", NS, made)
    else:
        admin.create("pods", NS, made)
    admin.create("serviceaccounts", "kube-system", {"metadata": {"name": "default"}})
    admin.create("pods", "kube-system", made)

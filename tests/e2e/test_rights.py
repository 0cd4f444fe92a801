"""What a user of the cluster without a right may do to a node's kubelet and to the cluster's authority: nothing."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.csr import request
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.serial, pytest.mark.timeout(400)]
CLIENT = "kubernetes.io/kube-apiserver-client"


def signing(name: str, group: str, key: ec.EllipticCurvePrivateKey) -> str:
    """A CertificateSigningRequest as JSON."""
    spec = {"request": request(name, group, key=key), "signerName": CLIENT, "usages": ["client auth"]}
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    return json.dumps({**kind, "metadata": {"name": name}, "spec": spec})


def as_mallory(cluster: Cluster, folder: Path) -> ssl.SSLContext:
    """TLS with a certificate of the cluster's CA, signed as the cluster signs them, for a user who was given no right."""
    key = ec.generate_private_key(ec.SECP256R1())
    cluster.kubectl("apply", "-f", "-", stdin=signing("mallory", "nobodies", key))
    cluster.kubectl("certificate", "approve", "mallory")
    found = cluster.until(lambda: cluster.path("csr", "mallory", "{.status.certificate}"), what="it is signed")
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "mallory.pem").write_bytes(base64.b64decode(found) + text)
    context = ssl.create_default_context(cafile=str(cluster.var / "pki" / "ca.crt"))
    context.load_cert_chain(folder / "mallory.pem")
    return context


def test_a_certificate_of_the_cluster_is_no_right(cluster: Cluster, tmp_path: Path) -> None:
    context = as_mallory(cluster, tmp_path)
    [node] = cluster.get("nodes")["items"]
    address = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]

    def asked(path: str, method: str = "GET") -> int:
        wanted = urllib.request.Request(f"https://{address}:{port}{path}", method=method)
        try:
            with urllib.request.urlopen(wanted, timeout=60, context=context) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    pages = [("/pods", "GET"), ("/metrics", "GET"), ("/stats/summary", "GET"), ("/containerLogs/a/b/c", "GET")]
    pages += [("/run/a/b/c?cmd=id", "POST"), ("/exec/a/b/c?command=id", "POST"), ("/attach/a/b/c", "POST")]
    assert [asked(*page) for page in [*pages, ("/portForward/a/b", "POST")]] == [403] * 8
    cluster.kubectl("create", "clusterrole", "see-pods", "--verb=get", "--resource=nodes/pods")
    cluster.kubectl("create", "clusterrolebinding", "see-pods", "--clusterrole=see-pods", "--group=nobodies")
    cluster.until(lambda: asked("/pods"), lambda status: status == 200, 60, what="what was granted is seen")
    assert asked("/metrics") == 403


def test_who_may_approve_requests_approves_none_for_signers_of_others(cluster: Cluster) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    cluster.kubectl("apply", "-f", "-", stdin=signing("eve", "friends", key))
    rules = [
        "--verb=get,create,update,patch",
        "--resource=certificatesigningrequests,certificatesigningrequests/approval",
    ]
    cluster.kubectl("create", "clusterrole", "approver", *rules)
    cluster.kubectl("create", "clusterrolebinding", "approver", "--clusterrole=approver", "--user=eve")
    refused = cluster.run("--as=eve", "certificate", "approve", "eve")
    assert refused.returncode == 1 and f'not permitted to approve requests with signerName "{CLIENT}"' in refused.stderr
    masters = cluster.run("--as=eve", "create", "-f", "-", stdin=signing("masters", "system:masters", key))
    assert masters.returncode == 1 and "system:masters group is not allowed" in masters.stderr
    signers = "system:certificates.k8s.io:kube-apiserver-client-approver"
    cluster.kubectl("create", "clusterrolebinding", "signers", f"--clusterrole={signers}", "--user=eve")
    cluster.kubectl("--as=eve", "certificate", "approve", "eve")


def test_a_kubelet_is_confined_to_its_node(cluster: Cluster) -> None:
    """With the kubelet's own credentials, as a pod that took the node would have them."""
    kubelet = {"KUBECONFIG": str(cluster.var / "kubelet" / "kubeconfig")}
    [node] = cluster.get("nodes")["items"]
    name = node["metadata"]["name"]

    def refused(*words: str, stdin: str | None = None) -> str:
        done = cluster.run(*words, stdin=stdin, **kubelet)
        assert done.returncode != 0, f"{words}: {done.stdout}"
        return done.stderr

    cluster.kubectl("create", "secret", "generic", "mine", "--from-literal=a=b")
    assert "no relationship found between node" in refused("get", "secret", "mine")
    other = json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "other"}})
    assert f'node "{name}" is not allowed to modify node "other"' in refused("create", "-f", "-", stdin=other)
    assert "is not allowed to modify labels" in refused("label", "node", name, "node-restriction.kubernetes.io/a=b")
    assert "is not allowed to modify taints" in refused("taint", "node", name, "mine=yes:NoSchedule")
    assert "can only create pods with spec.nodeName set to itself" in refused("run", "mine", "--image=host")
    cluster.kubectl("run", "sleeper", "--image=host", "--command", "--", "sleep", "1000")
    cluster.until(lambda: cluster.path("pod", "sleeper", "{.status.phase}"), lambda phase: phase == "Running", 60)
    assert "not bound to a pod" in refused("create", "token", "default")
    bound = ["--bound-object-kind=Pod", "--bound-object-name=sleeper"]
    assert "a pod binding without a uid" in refused("create", "token", "default", *bound)
    bound.append(f"--bound-object-uid={cluster.path('pod', 'sleeper', '{.metadata.uid}')}")
    assert 'audience "vault" not found' in refused("create", "token", "default", *bound, "--audience=vault")
    cluster.kubectl("create", "token", "default", *bound, KUBECONFIG=kubelet["KUBECONFIG"])
    cluster.kubectl("create", "serviceaccount", "other")
    assert "no relationship found" in refused("create", "token", "other", *bound)
    cluster.kubectl("delete", "pod", "sleeper", "--grace-period=1")

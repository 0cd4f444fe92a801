"""Server-side apply over HTTP: the order of lists, and who owns what is set through a subresource."""

from __future__ import annotations

from typing import Any

from tests.apiserver.standalone import Server

DEPLOYMENTS = "/apis/apps/v1/namespaces/work/deployments"
APPLY = "application/apply-patch+yaml"


def deployment(name: str, **pod: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}], **pod}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }


def apply(server: Server, path: str, config: dict[str, Any], manager: str, options: str = "") -> tuple[int, Any]:
    return server.request("PATCH", f"{path}?fieldManager={manager}{options}", config, Content_Type=APPLY)


def test_a_new_init_container_runs_where_it_was_applied(server: Server) -> None:
    path = f"{DEPLOYMENTS}/ordered"
    apply(server, path, deployment("ordered", initContainers=[{"name": "migrate", "image": "i"}]), "m")
    first = [{"name": name, "image": "i"} for name in ("wait", "migrate")]
    _, made = apply(server, path, deployment("ordered", initContainers=first), "m")
    assert [c["name"] for c in made["spec"]["template"]["spec"]["initContainers"]] == ["wait", "migrate"]


def replicas_of(server: Server, path: str) -> list[tuple[str, str, str]]:
    """Who owns spec.replicas: (manager, operation, subresource)."""
    entries = server.request("GET", path)[1]["metadata"]["managedFields"]
    return [
        (entry["manager"], entry["operation"], entry.get("subresource", ""))
        for entry in entries
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    ]


def test_replicas_set_through_scale_are_owned_through_scale(server: Server) -> None:
    path = f"{DEPLOYMENTS}/scaled-by"
    apply(server, path, deployment("scaled-by"), "m")
    patch = {"spec": {"replicas": 3}}
    server.request("PATCH", f"{path}/scale?fieldManager=hpa", patch, Content_Type="application/merge-patch+json")
    assert replicas_of(server, path) == [("hpa", "Update", "scale")]
    status, refused = apply(server, path, deployment("scaled-by"), "m")
    assert status == 409
    assert refused["details"]["causes"][0]["message"] == 'conflict with "hpa" with subresource "scale" using apps/v1'
    scale = {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {"name": "scaled-by"},
        "spec": {"replicas": 4},
    }
    assert apply(server, f"{path}/scale", scale, "keda")[0] == 409
    status, applied = apply(server, f"{path}/scale", scale, "keda", "&force=true")
    assert (status, applied["spec"]) == (200, {"replicas": 4})
    assert replicas_of(server, path) == [("keda", "Apply", "scale")]
    assert apply(server, f"{path}/scale", {**scale, "kind": "Deployment"}, "keda")[0] == 400

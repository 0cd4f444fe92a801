"""Connections to pods, services and nodes: admission is asked before they are opened."""

from __future__ import annotations

from apiserver.request import Request, bool_of
from cluster.plan import arun
from cluster.verbs import connect
from kube.kinds.admissionregistration.rules import GROUP
from kube.objects import Json
from kube.registry import Kind

_FLAGS = ("stdin", "stdout", "stderr", "tty")
# What the kinds of options hold, in the order in which they are shown.
OPTIONS = {
    ("pods", "attach"): ("PodAttachOptions", (*_FLAGS, "container")),
    ("pods", "exec"): ("PodExecOptions", (*_FLAGS, "container", "command")),
    ("pods", "portforward"): ("PodPortForwardOptions", ("ports",)),
    ("pods", "proxy"): ("PodProxyOptions", ("path",)),
    ("services", "proxy"): ("ServiceProxyOptions", ("path",)),
    ("nodes", "proxy"): ("NodeProxyOptions", ("path",)),
}
ASKED = [f"{name}.{GROUP}" for name in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")]
ASKED.append(f"validatingadmissionpolicybindings.{GROUP}")


async def admit(request: Request, kind: Kind) -> None:
    """Raises ApiError where admission refuses the connection that a request asks for."""
    state, info = request.state, request.info
    if not any(map(state.cache.count, ASKED)):
        return
    namespace = info.namespace if kind.namespaced else ""
    call = state.session(request.user).call(
        kind, namespace, info.name, info.subresource, warnings=request.warnings, annotations=request.noted
    )
    await arun(connect.plan(call, options(request, kind)), state.store)


def options(request: Request, kind: Kind) -> Json:
    """What a request asks for, as the object that admission sees."""
    name, fields = OPTIONS[kind.plural, request.info.subresource]
    values = {
        **{flag: bool_of(request.query(flag)) for flag in _FLAGS},
        "container": request.query("container"),
        "command": request.queries("command"),
        "ports": [int(port) for port in request.queries("ports") if port.isdecimal()],
        "path": request.info.rest,
    }
    return {"kind": name, "apiVersion": "v1", **{field: values[field] for field in fields if values[field]}}

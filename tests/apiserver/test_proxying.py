"""What is passed on: to services and pods over HTTP, to kubelets over TLS, upgrades as raw bytes."""

from __future__ import annotations

import base64
import socket
import ssl
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver import links, websocket
from apiserver.subresources import proxy
from tests.apiserver.standalone import Server
from tests.rawhttp import conversation

C = {"name": "c", "image": "host"}
WORK = "/api/v1/namespaces/work"


def test_a_service_gets_the_request_without_our_credentials(server: Server, service: str) -> None:
    status, body = server.request("POST", f"{service}/a%20b?x=1", b"text", Content_Type="text/plain")
    assert (status, body) == (200, b"POST /a%20b?x=1 text auth=None")


def test_redirects_lead_back_through_the_proxy(server: Server, service: str) -> None:
    connection = server.connection()
    for path, location in ((f"{service}/move", f"{service}/moved"), (service, f"{service}/")):
        connection.request("GET", path, headers={"Authorization": f"Bearer {server.token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.headers["Location"] == location
    connection.close()


def test_a_service_without_endpoints(server: Server) -> None:
    server.request("POST", f"{WORK}/services", {"metadata": {"name": "empty"}, "spec": {"ports": [{"port": 80}]}})
    status, body = server.request("GET", f"{WORK}/services/empty/proxy/")
    assert status == 503 and body["message"] == 'no endpoints available for service "empty"'
    assert server.request("GET", f"{WORK}/services/absent/proxy/")[0] == 404


def upgrade(server: Server, path: str, headers: str = "", said: str = "ping\n") -> bytes:
    """Upgrade, say a line, and return all that came back."""
    context = ssl.create_default_context(cafile=server.ca)
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", server.port), 10), server_hostname="localhost"
    ) as sock:
        sock.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\n{headers}\r\n{said}".encode()
        )
        found = b""
        while chunk := sock.recv(4096):
            found += chunk
        return found


def test_upgrades_pass_as_raw_bytes(server: Server, service: str) -> None:
    found = upgrade(server, f"{service}/ws?a=b")
    assert found.startswith(b"HTTP/1.1 101 ") and found.endswith(b"hello /ws?a=b\nping\n")


def test_exec_reaches_the_kubelet_with_our_certificate(server: Server, node: str) -> None:
    found = upgrade(server, f"{node}/exec?command=ls&command=-l&stdout=true&container=c")
    assert found.endswith(b"hello /exec/work/far/c?command=ls&command=-l&stdout=true\nping\n")


def test_a_refused_upgrade_is_a_status(server: Server, node: str) -> None:
    found = upgrade(server, f"{node}/exec?command=ls&container=none")
    assert b" 400 " in found.splitlines()[0] and b"container none is not valid for pod far" in found


def test_logs_come_from_the_kubelet(server: Server, node: str) -> None:
    status, body = server.request("GET", f"{node}/log?tailLines=5")
    assert (status, body) == (200, b"GET /containerLogs/work/far/c?tailLines=5  auth=None")
    assert server.request("GET", f"{node}/log?tailLines=-5")[0] == 422
    assert server.request("GET", "/api/v1/nodes/n1/proxy/healthz")[1] == b"GET /healthz  auth=None"


def test_a_node_that_is_not_there_is_told_in_words_of_what_was_asked_for(server: Server, node: str) -> None:
    spec = {"nodeName": "none", "containers": [{"name": "c", "image": "host"}]}
    assert server.request("POST", f"{WORK}/pods", {"metadata": {"name": "lost"}, "spec": spec})[0] == 201
    for kind, path in (("nodes", "/api/v1/nodes/none/proxy/healthz"), ("pods", f"{WORK}/pods/lost/log")):
        status, body = server.request("GET", path)
        assert (status, body["message"], body["details"]["kind"]) == (404, f'{kind} "none" not found', kind)


def test_pages_of_a_node_that_shares_its_kubelet(server: Server, node: str) -> None:
    page = "/api/v1/nodes/n1/proxy/metrics/cadvisor?x=1"
    for said, path in (
        ("/metrics/nodes/n1/metrics/resource", "/metrics/nodes/n1/metrics/cadvisor"),
        ("/some/where", "/metrics/cadvisor"),
        (" /a/metrics/resource", "/metrics/cadvisor"),
    ):
        annotations = {"metadata": {"annotations": {"metrics.k8s.io/resource-metrics-path": said}}}
        assert (
            server.request("PATCH", "/api/v1/nodes/n1", annotations, Content_Type="application/merge-patch+json")[0]
            == 200
        )
        assert server.request("GET", page)[1] == f"GET {path}?x=1  auth=None".encode()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhello", 200),
        (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 503),
        (b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", 503),
        (b"HTTP/1.1 099 What\r\nContent-Length: 0\r\n\r\n", 503),
        (b"HTTP/1.1 204 None\r\n\r\n", 204),
        (b"nonsense\r\n\r\n", 503),
        (b"", 503),
    ],
)
def test_what_a_backend_answers_oddly_breaks_nothing(server: Server, said: bytes, status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(65536)
                client.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        name = f"odd-{port}"
        server.request(
            "POST", f"{WORK}/pods", {"metadata": {"name": name}, "spec": {"nodeName": "n1", "containers": [C]}}
        )
        found = {"podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
        assert (
            server.request("PUT", f"{WORK}/pods/{name}/status", {"metadata": {"name": name}, "status": found})[0] == 200
        )
        got, body = server.request("GET", f"{WORK}/pods/{name}:{port}/proxy/")
        assert got == status
        assert body == b"hello" if said.endswith(b"hello") else b"OK" not in bytes(str(body), "utf-8")


def test_a_refused_upgrade_leaves_no_way_to_the_backend(server: Server, service: str) -> None:
    """Else a second request on the connection would reach a kubelet with this server's certificate."""
    first = f"HEAD {service}/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
    sent = f"{first}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /secret HTTP/1.1\r\nHost: x\r\n\r\n"
    said = conversation(server.port, sent.encode(), ssl.create_default_context(cafile=server.ca))
    assert said.startswith(b"HTTP/1.1 200 ") and said.count(b"HTTP/1.") == 1 and b"/secret" not in said


PAGE = (
    b'<html><!-- <a href="/c"> --><body background=/b><a class=x href="/a?b=1&amp;c=2">\'</a><a href="rel">'
    b'<img src=\'/i.png\'><a href="http://elsewhere/x"><script src="/s.js">\'<a href="/no">\'</script>'
    b'<form action="http://10.0.0.1:80/f"><A HREF="/p/kept"></body></html>'
)


def test_links_of_a_page_lead_back_through_the_proxy() -> None:
    page = links.rewritten(PAGE, lambda address: links.moved(address, "/p", ("10.0.0.1:80",)))
    assert page == (
        b'<html><!-- <a href="/c"> --><body background="/p/b"><a class=x href="/p/a?b=1&amp;c=2">\'</a><a href="rel">'
        b'<img src="/p/i.png"><a href="http://elsewhere/x"><script src="/p/s.js">\'<a href="/no">\'</script>'
        b'<form action="/p/f"><A HREF="/p/kept"></body></html>'
    )


@given(st.text("<a href='\"/>=!-b script", max_size=60))
def test_a_page_without_addresses_to_move_stays_as_it_is(text: str) -> None:
    assert links.rewritten(text.encode(), lambda address: address) == text.encode()


@pytest.mark.parametrize("part", [b"<a '", b'<a href="', b"<a ", b"<!--", b"<script>", b"<a href=/x ", b"<a href=x>"])
def test_pages_that_never_end_their_tags_take_no_time(part: bytes) -> None:
    page = part * (proxy.MAX_PAGE // len(part))
    assert links.rewritten(page, lambda address: address) == page


def test_a_page_of_a_service_is_rewritten(server: Server, service: str) -> None:
    status, page = server.request("GET", f"{service}/page.html")
    assert (status, page) == (200, f'<a href="{service}/next">'.encode())
    status, page = server.request("GET", f"{service}/page.html.gz")
    assert (status, page) == (200, f'<a href="{service}/next">'.encode())


@pytest.mark.parametrize(("protocol", "kind"), [("", 2), ("binary.k8s.io", 2), ("base64.binary.k8s.io", 1)])
def test_logs_over_a_websocket(server: Server, node: str, protocol: str, kind: int) -> None:
    offered = f"Sec-WebSocket-Protocol: x, {protocol}\r\n" if protocol else ""
    found = talked(server, f"{node}/log?container=c", offered)
    head, _, frames = found.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    said = b"GET /containerLogs/work/far/c  auth=None"
    body = base64.b64encode(said) if kind == 1 else said
    assert frames == websocket.frame(kind, body) + websocket.frame(websocket.CLOSE, b"\x03\xe8")


def test_a_websocket_of_other_protocols_gets_no_logs(server: Server, node: str) -> None:
    assert b" 403 " in talked(server, f"{node}/log?container=c", "Sec-WebSocket-Protocol: x\r\n").splitlines()[0]


def talked(server: Server, path: str, offered: str) -> bytes:
    """All that a server says over a WebSocket that it closes."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    return upgrade(server, path, f"Sec-WebSocket-Version: 13\r\n{offered}{key}", said="")

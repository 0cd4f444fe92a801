"""The gRPC health check against what a server of grpcio 1.85 was recorded to send."""

from __future__ import annotations

import asyncio

import pytest

from kubelet.probes.grpc_health import check

SETTINGS = ("000018040000000000000400400000000500400000000600004000fe0300000001000004080000000000003f0001"
            "000000040100000000")  # fmt: skip
PING = "000008060000000000f1cae4016c20b6ca"
HEADERS = ("00004e01040000000188400c636f6e74656e742d74797065106170706c69636174696f6e2f677270634014677270632d6163636570742d"
           "656e636f64696e67176964656e746974792c206465666c6174652c20677a6970")  # fmt: skip
TRAILERS = "00001e010500000001400b677270632d7374617475730130000c677270632d6d65737361676500"
UNIMPLEMENTED = ("00005001050000000188400c636f6e74656e742d74797065106170706c69636174696f6e2f67727063400b677270632d7374617475"
                 "73023132000c677270632d6d657373616765114d6574686f64206e6f7420666f756e6421")  # fmt: skip


def data(status: int) -> str:
    """A frame with a HealthCheckResponse."""
    return f"000007000000000001000000000208{status:02x}"


def ask(answer: str, timeout: float = 60, service: str = "db") -> tuple[tuple[bool, str], bytes]:
    """What the check says of a server that sends these bytes (hexadecimal), and all that it sent to it."""
    received = bytearray()
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes.fromhex(answer))
        while chunk := await reader.read(1 << 16):
            received.extend(chunk)
        writer.close()
        over.set()

    async def main() -> tuple[bool, str]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            found = await check("127.0.0.1", server.sockets[0].getsockname()[1], service, timeout)
            await over.wait()
        return found

    return asyncio.run(main()), bytes(received)


@pytest.mark.parametrize(
    ("answer", "ok", "words"),
    [
        (HEADERS + data(1) + TRAILERS, True, ""),
        (HEADERS + data(2) + TRAILERS, False, 'service unhealthy (responded with "NOT_SERVING")'),
        (UNIMPLEMENTED, False, "does it serve grpc.health.v1.Health"),
        ("00000403000000000100000008", False, "error: health rpc probe failed: the server ended the call"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".hex(), False, "error: health rpc probe failed: "),
    ],
)
def test_answers(answer: str, ok: bool, words: str) -> None:
    (found, text), _ = ask(SETTINGS + PING + answer if not answer.startswith("4854") else answer)
    assert found is ok and words in text


def test_the_call() -> None:
    _, sent = ask(SETTINGS + PING + HEADERS + data(1) + TRAILERS)
    assert sent.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"/grpc.health.v1.Health/Check" in sent and b"\0\0\0\0\x04\x0a\x02db" in sent
    assert bytes.fromhex(PING[18:]) in sent, "a ping is answered"


def test_a_server_that_says_nothing() -> None:
    (ok, text), _ = ask("", timeout=0.1)
    assert (ok, text) == (False, "timeout: health rpc did not complete within 0.1s")

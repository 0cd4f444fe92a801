"""grpc: the standard health service, `grpc.health.v1.Health/Check`."""

from __future__ import annotations

SERVING = 1


def _request(service: str) -> bytes:
    """HealthCheckRequest: field 1, a string."""
    name = service.encode()
    return b"\x0a" + bytes([len(name)]) + name if name else b""


async def check(host: str, port: int, service: str, timeout: float) -> tuple[bool, str]:
    """Asks once; the grpc library is loaded only by nodes that run such a probe."""
    try:
        import grpc
    except ImportError:
        return False, "grpc probes need the Python package grpcio on the node: install it, or use another kind of probe"
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer: bytes = await call(_request(service), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            return False, f"error: health rpc probe failed: {error.details()}"
    status = answer[1] if len(answer) >= 2 and answer[0] == 0x08 else 0
    return status == SERVING, "" if status == SERVING else f"service unhealthy (responded with {status})"

"""Speaking with the supervisor of an installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy


def supervisor(var: Path) -> Any:
    """The supervisor's XML-RPC methods. Calls raise OSError when it does not run, xmlrpc.client.Fault when it refuses."""
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{var}/run/supervisor.sock")
    return ServerProxy("http://127.0.0.1", transport=transport).supervisor

"""Forks shims.  Started by the kubelet as `python -I -S zygote.py FD`, FD a connected SOCK_SEQPACKET socket.

Request `{"id": n, "dir": pod directory}`; the new shim itself answers `{"id": n, "pid": p}` or `{"id": n, "error": …}`.
When the kubelet goes away the socket closes and the zygote ends; the shims do not notice.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from typing import Any, NoReturn

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from kubelet.shim import files, pod

MESSAGE = 64 * 1024


def main(control: socket.socket) -> None:
    control.set_inheritable(False)
    # What is loaded by now is never garbage: the collector of a shim need not touch, and so copy, the shared pages.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the foreground is for the kubelet to act on
    while data := control.recv(MESSAGE):
        request = json.loads(data)
        if os.fork() == 0:
            # A grandchild in its own session: no signal to the kubelet's process group reaches it.
            os.setsid()
            if os.fork() == 0:
                _become_shim(control, request)
            os._exit(0)


def _become_shim(control: socket.socket, request: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        os.chdir(request["dir"])
        for number in (signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # Standard streams away from the kubelet's: its supervisor waits for them to close.
        null = os.open("/dev/null", os.O_RDONLY)
        log = os.open("shim.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
        for target, source in ((0, null), (1, log), (2, log)):
            os.dup2(source, target)
        shim = pod.main(files.read_json("config.json"))
        control.send(json.dumps({"id": request["id"], "pid": os.getpid()}).encode())
        control.close()
        shim.run()
    except OSError as error:
        control.send(json.dumps({"id": request["id"], "error": str(error)}).encode())
    except BaseException as error:
        sys.stderr.write(f"shim of {request['dir']}: {error!r}\n")
        raise
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))

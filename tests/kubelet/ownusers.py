"""Pods with user namespaces of their own in `scenario`: their root is nobody outside."""

from __future__ import annotations

import json
import os
import ssl
import stat
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from kubelet.shim.users import COUNT
from tests.kubelet import isolation
from tests.kubelet.fakeapi import pod

if TYPE_CHECKING:
    from tests.kubelet.scenario import World

WAIT = isolation.WAIT
VOLUMES = [
    {"name": "disk", "emptyDir": {}},
    {"name": "memory", "emptyDir": {"medium": "Memory"}},
]
MOUNTS = [{"name": "disk", "mountPath": "/disk"}, {"name": "memory", "mountPath": "/memory"}]


def state(w: World, name: str) -> dict[str, Any]:
    """Of the container's last start, as the shim writes it."""
    folder = w.root / "pods" / w.api.get("pods", name)["metadata"]["uid"] / "containers/c"
    last = max(folder.iterdir(), key=lambda path: int(path.name))
    found: dict[str, Any] = json.loads((last / "state.json").read_text())
    return found


def ids(pid: int) -> set[int]:
    """Real, effective, saved and file uid and gid of a process, as the machine sees them."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {int(word) for line in lines if line.startswith(("Uid:", "Gid:", "Groups:")) for word in line.split()[1:]}


async def root_in_a_pod_is_nobody_outside(w: World) -> None:
    """Its ids outside; what it writes; what it may write to; a range for each pod, which it keeps."""
    script = (
        "id -u; id -g; touch /disk/root /memory/root /own; setpriv --reuid 7 --regid 7 --clear-groups "
        "touch /memory/seven; echo out > /dev/stdout; stat -c %u:%g /disk/root /memory/root /memory/seven /own /usr/bin "
        "/etc/passwd /tmp; cat /proc/self/uid_map; echo said; cd /disk; echo served > page; exec python3 -m http.server 80"
    )
    probe = {"httpGet": {"path": "/page", "port": 80}, "periodSeconds": 1}
    container = {"name": "c", "command": ["sh", "-c", script], "volumeMounts": MOUNTS, "readinessProbe": probe}
    for name in ("mapped", "mapped-too"):
        w.api.put("pods", pod(name, container, volumes=VOLUMES, hostUsers=False, terminationGracePeriodSeconds=1))
    firsts = set()
    for name in ("mapped", "mapped-too"):
        await w.until(lambda name=name: w.ready(name) and "said" in w.log(name))
        (first,) = ids(state(w, name)["pid"])
        assert first >= 1 << 19 and first % COUNT == 0
        said = w.log(name).split("\n")
        assert said[:2] == ["0", "0"] and said[2] == "out"
        assert said[3:10] == ["0:0", "0:0", "7:7", "0:0", "0:0", "0:0", "0:0"]
        assert said[10].split() == ["0", str(first), str(COUNT)]
        uid = w.api.get("pods", name)["metadata"]["uid"]
        (own,) = (w.root / "pods" / uid).glob("containers/c/0/rootfs/own")
        assert (own.stat().st_uid, own.stat().st_gid) == (first, first)
        (kept,) = (w.root / "pods" / uid).glob("volumes/**/root")
        assert kept.stat().st_uid == 0, "a volume holds the ids that the pod sees: another pod can have it later"
        firsts.add(first)
        assert b"served" in await forwarded(w, name)
    assert len(firsts) == 2


async def forwarded(w: World, name: str) -> bytes:
    """What the pod's port 80 answers to who forwards it."""
    context = ssl.create_default_context(cafile=str(w.folder / "ca.crt"))
    context.load_cert_chain(w.folder / "client.crt", w.folder / "client.key")
    url = f"https://127.0.0.1:{w.port}/portForward/default/{name}?ports=80"
    got = b""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, ssl=context, protocols=["v4.channel.k8s.io"]) as socket,
    ):
        await socket.send_bytes(b"\0GET /page HTTP/1.0\r\n\r\n")
        async for message in socket:
            got += message.data
            if b"served" in got:
                break
    return got


async def a_hostile_root_of_its_own_ids_gets_nothing(w: World) -> None:
    isolation.attacker(w, "hostile-mapped", {}, hostUsers=False)
    found = await isolation.result(w, "hostile-mapped")
    isolation.check_powerless(w, found)


async def even_privileged_it_is_nobody(w: World) -> None:
    """All capabilities, in its own namespace: it may mount there, and nothing of the machine's opens."""
    assert w.process is not None
    looks = (
        "mount -t tmpfs none /mnt && echo mounted; umount /proc/sys 2>/dev/null && echo bared; "
        f"kill -0 {w.process.pid} 2>/dev/null && echo reached; touch /usr/x 2>/dev/null && echo written; "
        "for disk in /dev/vd? /dev/sd? /dev/nvme?n? /dev/mem /dev/kmsg; do "
        "head -c 1 $disk >/dev/null 2>&1 && echo $disk; done; "
        "date -s @1 >/dev/null 2>&1 && echo timed; echo said; " + WAIT
    )
    container = {"name": "c", "command": ["sh", "-c", looks], "securityContext": {"privileged": True}}
    w.api.put("pods", pod("mighty-mapped", container, hostUsers=False, terminationGracePeriodSeconds=1))
    await w.until(lambda: w.ready("mighty-mapped") and "said" in w.log("mighty-mapped"))
    assert w.log("mighty-mapped").splitlines() == ["mounted", "said"]


async def a_setuid_program_gives_the_pods_root_and_no_other(w: World) -> None:
    """Of a volume of the machine, where it belongs to the machine's root."""
    place = w.folder / "setuid"
    place.mkdir(exist_ok=True)
    program = place / "sleep"
    program.write_bytes(Path("/usr/bin/sleep").read_bytes())
    program.chmod(0o4755)
    assert program.stat().st_mode & stat.S_ISUID and program.stat().st_uid == 0
    container = {
        "name": "c",
        "command": ["/setuid/sleep", "1000"],
        "securityContext": {"runAsUser": 1000},
        "volumeMounts": [{"name": "h", "mountPath": "/setuid"}],
    }
    volumes = [{"name": "h", "hostPath": {"path": str(place)}}]
    w.api.put("pods", pod("setuid", container, volumes=volumes, hostUsers=False, terminationGracePeriodSeconds=1))
    await w.until(lambda: w.ready("setuid"))
    pid = state(w, "setuid")["pid"]
    first = min(ids(pid))
    assert first >= 1 << 19 and ids(pid) <= {first, first + 1000}
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    assert int(next(line.split()[2] for line in lines if line.startswith("Uid:"))) == first


async def a_volume_without_ids_is_told(w: World) -> None:
    container = {"name": "c", "command": ["true"], "volumeMounts": [{"name": "h", "mountPath": "/v"}]}
    volumes = [{"name": "h", "hostPath": {"path": "/proc"}}]
    w.api.put("pods", pod("unmapped", container, volumes=volumes, hostUsers=False, restartPolicy="Never"))
    await w.until(partial(w.failed, "unmapped"))
    ended = w.container("unmapped")["state"]["terminated"]
    assert ended["reason"] == "StartError"
    assert ended["message"].startswith("hostUsers: false cannot be had with the volume /proc: its file system")


async def an_id_that_it_has_not_is_told(w: World) -> None:
    container = {"name": "c", "command": ["true"], "securityContext": {"runAsUser": COUNT}}
    w.api.put("pods", pod("beyond", container, hostUsers=False))
    message = await w.until(lambda: w.container("beyond")["state"]["waiting"].get("message"))
    assert message == "securityContext: user or group 65536 is none of the 65536 that a pod with hostUsers: false has"


async def it_is_refused_where_it_cannot_be_had(w: World) -> None:
    w.api.put("pods", pod("refused", {"name": "c", "command": ["true"]}, hostUsers=False))
    message = await w.until(lambda: w.container("refused")["state"]["waiting"].get("message"))
    assert w.container("refused")["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    assert message == "hostUsers: false cannot be had: it needs a kubelet that runs as root, and Linux 5.12"


def all_of(w: World) -> list[Any]:
    """What there is to try with this user and kernel."""
    if not w.features["users"]:
        assert os.geteuid() != 0 or not w.features["mount"]
        return [it_is_refused_where_it_cannot_be_had(w)]
    return [
        root_in_a_pod_is_nobody_outside(w),
        a_hostile_root_of_its_own_ids_gets_nothing(w),
        even_privileged_it_is_nobody(w),
        a_setuid_program_gives_the_pods_root_and_no_other(w),
        a_volume_without_ids_is_told(w),
        an_id_that_it_has_not_is_told(w),
    ]

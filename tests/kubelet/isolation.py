"""Hostile containers in `scenario`: what they see of the machine and of its cluster."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.kubelet import attack
from tests.kubelet.fakeapi import pod

if TYPE_CHECKING:
    from tests.kubelet.scenario import World

REFUSED = ("EPERM", "EACCES", "ENOSYS", "EROFS", "ENOENT", "ENODATA")
WAIT = "trap 'exit 0' TERM; while :; do sleep 0.05; done"
DEFAULT = 0xA80425FB
"""The bits of the capabilities that container runtimes leave to root."""


def attacker(w: World, name: str, security: dict[str, Any], **spec: Any) -> None:
    """A pod that runs the attack on what it must not see, and stays."""
    source = Path(attack.__file__).read_text()
    w.api.put("configmaps", {"metadata": {"name": "attack", "namespace": "default"}, "data": {"attack.py": source}})
    assert w.process is not None
    secrets = " ".join(
        map(str, (w.folder, w.root, w.root / "pods", Path(__file__).parents[2] / ".git", "/etc/ssl/private"))
    )
    container = {
        "name": "c",
        "command": ["sh", "-c", f"python3 $BINNACLE_POD_ROOT/attack/attack.py {w.process.pid} {secrets}; {WAIT}"],
        "securityContext": security,
        "volumeMounts": [{"name": "a", "mountPath": "/attack"}],
    }
    volumes = [{"name": "a", "configMap": {"name": "attack"}}]
    w.api.put("pods", pod(name, container, volumes=volumes, terminationGracePeriodSeconds=1, **spec))


async def result(w: World, name: str) -> dict[str, Any]:
    text = await w.until(lambda: w.ready(name) and w.log(name))
    await w.until(lambda: w.log(name).startswith("{"))
    found: dict[str, Any] = json.loads(w.log(name))
    return found | {"log": text}


async def a_hostile_container_gets_nothing(w: World) -> None:
    attacker(w, "hostile", {})
    check_powerless(w, await result(w, "hostile"))


def check_powerless(w: World, found: dict[str, Any]) -> None:
    """What the attack could do is what any container may."""
    assert found["seen"] == []
    assert found["kill"] in ("EPERM", "ESRCH"), found["kill"]
    for kind in ("calls", "reads", "writes"):
        got = {what: answer for what, answer in found[kind].items() if answer not in REFUSED}
        assert got == {}, (kind, got)
    assert found["device"] in REFUSED
    assert found["descriptors"] == ["0", "1", "2"]
    assert found["seccomp"] == "2"
    if os.geteuid() == 0:
        assert found["capabilities"] == {
            "CapInh": 0, "CapPrm": DEFAULT, "CapEff": DEFAULT, "CapBnd": DEFAULT, "CapAmb": 0,
        }  # fmt: skip
    else:
        assert found["capabilities"]["CapEff"] == found["capabilities"]["CapPrm"] == 0
        assert found["privileges"] == "1"
    own = ("BINNACLE_CONTAINER_ID", "BINNACLE_POD_ROOT")
    assert not [name for name in found["environment"] if name.startswith("BINNACLE_") and name not in own]
    if not w.features["mount"]:
        return
    assert set(found["own"].values()) == {"done"}, found["own"]
    # What the image shows beside the machine's own programs is the Python that runs us.
    of_python = {Path(path).parts[1] for path in (sys.prefix, sys.base_prefix)}
    assert set(found["roots"]) <= {
        "attack", "bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "nonexistent", "opt",
        "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var", *of_python,
    }  # fmt: skip
    assert found["processes"] <= 3, found["processes"]


async def a_profile_of_the_machine_holds(w: World) -> None:
    """What it refuses is refused to programs, probes and commands; one that is missing or broken is told."""
    folder = w.root / "seccomp/profiles"
    folder.mkdir(parents=True, exist_ok=True)
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSPC}
    (folder / "no-folders.json").write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    (folder / "broken.json").write_text('{"defaultAction": "SCMP_ACT_MAYBE"}')
    probe = {"exec": {"command": ["sh", "-c", "mkdir /tmp/x 2>&1 | grep 'No space'"]}, "periodSeconds": 1}
    script = "mkdir $TMPDIR/x; echo said; " + WAIT
    for name in ("no-folders", "broken", "none"):
        profile = {"type": "Localhost", "localhostProfile": f"profiles/{name}.json"}
        security = {"allowPrivilegeEscalation": False, "seccompProfile": profile}
        container = {"name": "c", "command": ["sh", "-c", script], "securityContext": security, "readinessProbe": probe}
        w.api.put("pods", pod(f"seccomp-{name}", container, terminationGracePeriodSeconds=1))
    await w.until(lambda: w.ready("seccomp-no-folders") and "said" in w.log("seccomp-no-folders"))
    assert "No space left on device" in w.log("seccomp-no-folders")
    for name, words in (
        ("broken", 'defaultAction "SCMP_ACT_MAYBE" is none of'),
        ("none", "cannot be read: No such file or directory"),
    ):
        message = await w.until(lambda name=name: w.container(f"seccomp-{name}")["state"]["waiting"].get("message"))
        assert w.container(f"seccomp-{name}")["state"]["waiting"]["reason"] == "CreateContainerError"
        assert message.startswith(f"seccomp profile {folder}/{name}.json") and words in message


async def what_privileged_gives_back(w: World) -> None:
    """The machine's devices and all capabilities; the root directory is still the container's own."""
    if not w.features["mount"]:
        return
    looks = (
        f"test -e {w.root} || echo own; grep -h 'Seccomp:.*0' /proc/self/status; "
        "mount -t tmpfs none /mnt 2>/dev/null && echo mounted; "
        "test -e /dev/kmsg && echo devices; " + WAIT
    )
    container = {"name": "c", "command": ["sh", "-c", looks], "securityContext": {"privileged": True}}
    w.api.put("pods", pod("mighty", container, terminationGracePeriodSeconds=1))
    await w.until(lambda: w.ready("mighty") and "devices" in w.log("mighty"))
    said = w.log("mighty").splitlines()
    assert [line.split()[0] for line in said] == [
        "own",
        "Seccomp:",
        *(["mounted"] if os.geteuid() == 0 else []),
        "devices",
    ]


async def other_processes_can_be_seen_and_not_entered(w: World) -> None:
    """hostPID: the machine's processes are there, their root directories and environments are not."""
    if not w.features["mount"]:
        return
    assert w.process is not None
    pid = w.process.pid
    looks = (
        f"test -d /proc/{pid} && echo seen; ls /proc/{pid}/root/ || echo shut; cat /proc/{pid}/environ || echo closed; "
        f"readlink /proc/{pid}/fd/0 || echo hidden; " + WAIT
    )
    container = {"name": "c", "command": ["sh", "-c", looks]}
    w.api.put("pods", pod("watcher", container, hostPID=True, terminationGracePeriodSeconds=1))
    await w.until(lambda: w.ready("watcher") and "hidden" in w.log("watcher"))
    assert [line for line in w.log("watcher").splitlines() if ":" not in line] == ["seen", "shut", "closed", "hidden"]


async def a_home_is_made_in_the_container_alone(w: World) -> None:
    """Wherever HOME says that it is."""
    if not w.features["mount"]:
        return
    names = {
        "above": "/../" * 20 + f"{w.folder}/above",
        "link": "/var/run/evil-of-a-test",
        "odd": "/proc/self/x",
        "none": "x",
    }
    for name, home in names.items():
        say = 'test -d "$HOME" && echo made; echo said; ' + WAIT
        container = {"name": "c", "command": ["sh", "-c", say], "env": [{"name": "HOME", "value": home}]}
        w.api.put("pods", pod(f"home-{name}", container, terminationGracePeriodSeconds=1))
    for name in names:
        await w.until(lambda name=name: w.ready(f"home-{name}") and "said" in w.log(f"home-{name}"))
        assert ("made" in w.log(f"home-{name}")) is (name in ("above", "link"))
    assert not (w.folder / "above").exists() and not Path("/run/evil-of-a-test").exists()


async def a_link_in_a_volume_leads_nowhere_else(w: World) -> None:
    """A volume whose links lead to the machine's folders, and mounts below them."""
    if not w.features["mount"]:
        return
    place = w.folder / "links"
    place.mkdir(exist_ok=True)
    os.symlink("/etc", place / "absolute")
    os.symlink("../../../../../../../../etc", place / "relative")
    script = "ls /volume/absolute/cron.evil /volume/relative/deep.evil && echo mounted; " + WAIT
    mounts = [{"name": "h", "mountPath": "/volume"}, {"name": "e", "mountPath": "/volume/absolute/cron.evil"},
              {"name": "e", "mountPath": "/volume/relative/deep.evil"}]  # fmt: skip
    volumes = [{"name": "h", "hostPath": {"path": str(place)}}, {"name": "e", "emptyDir": {}}]
    container = {"name": "c", "command": ["sh", "-c", script], "volumeMounts": mounts}
    w.api.put("pods", pod("linked", container, volumes=volumes, terminationGracePeriodSeconds=1))
    await w.until(lambda: w.ready("linked") and "mounted" in w.log("linked"))
    assert not os.path.exists("/etc/cron.evil") and not os.path.exists("/etc/deep.evil")
    bad = {
        "name": "c",
        "command": ["true"],
        "volumeMounts": [{"name": "h", "mountPath": "/v", "subPath": "absolute/x"}],
    }
    w.api.put("pods", pod("outside", bad, volumes=volumes))
    waiting = await w.until(lambda: w.container("outside")["state"]["waiting"].get("message"))
    assert waiting == "subPath 'absolute/x' leads out of its volume"

"""A kubelet process with real pods against the fake API: run by test_process_pods.py as root and as another user.

`python -m tests.kubelet.scenario DIR POD_CIDR [mapped]`: exit status 0 when all holds, else the failed assertion.
`mapped`: every pod has a user namespace of its own, where it may.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp

from kubelet.runtimes.process import shimclient
from tests.kubelet import fakeapi, isolation, ownusers, pki
from tests.kubelet.fakeapi import FakeApi, pod
from tests.ports import free_port
from tests.rawhttp import head_alone

HEADS = (
    ("/healthz", 200),
    ("/pods", 200),
    ("/metrics", 200),
    ("/metrics/cadvisor", 200),
    ("/metrics/resource", 200),
    ("/metrics/node", 200),
    ("/stats/summary", 200),
    ("/containerLogs/default/talk/c", 200),
    ("/containerLogs/default/talk/c?follow=true", 200),
    ("/containerLogs/default/absent/c", 404),
    ("/run/default/talk/c?cmd=true", 405),
    ("/exec/default/talk/c?command=true", 426),
    ("/attach/default/talk/c", 426),
    ("/portForward/default/talk?ports=80", 426),
    ("/nothing", 404),
)
LOOP = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def seeing(folder: Path, name: str, container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod whose containers see `folder` of the machine at its own path."""
    mount = {"name": "shared", "mountPath": str(folder)}
    container = {**container, "volumeMounts": [*container.get("volumeMounts", ()), mount]}
    volumes = [*spec.pop("volumes", ()), {"name": "shared", "hostPath": {"path": str(folder)}}]
    return pod(name, container, volumes=volumes, **spec)


class World:
    def __init__(self, folder: Path, pod_cidr: str) -> None:
        self.folder, self.cidr = folder, pod_cidr
        self.api = FakeApi()
        self.root = folder / "kubelet"
        self.process: asyncio.subprocess.Process | None = None
        self.port = free_port()
        self.features: dict[str, bool] = {}
        """What namespaces there can be, as the kubelet finds out."""

    async def start_kubelet(self) -> None:
        pem = str(self.folder)
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kubelet", "--kubeconfig", f"{pem}/kubeconfig", "--root-dir", str(self.root),
            "--node-name", "n1", "--port", str(self.port), "--pod-cidr", self.cidr,
            "--tls-cert", f"{pem}/server.crt", "--tls-key", f"{pem}/server.key", "--client-ca", f"{pem}/ca.crt",
        )  # fmt: skip

    async def until(self, check: Callable[[], Any], seconds: float = 60) -> Any:
        """The first true value of `check`; a look at a pod that is not there yet counts as false."""
        for _ in range(int(seconds * 20)):
            with contextlib.suppress(KeyError, IndexError):
                if value := check():
                    return value
            await asyncio.sleep(0.05)
        raise AssertionError(
            f"not within {seconds} s: {inspect.getsource(check) if inspect.isfunction(check) else check}\n{self.dump()}"
        )

    def dump(self) -> str:
        pods = {key[2]: o["status"] for key, o in self.api.objects.items() if key[0] == "pods"}
        return json.dumps(pods, indent=1)

    def status(self, name: str) -> Any:
        return self.api.get("pods", name)["status"]

    def container(self, name: str) -> Any:
        return self.status(name)["containerStatuses"][0]

    def ready(self, name: str) -> bool:
        return any(c["type"] == "Ready" and c["status"] == "True" for c in self.status(name)["conditions"])

    def failed(self, name: str) -> bool:
        return bool(self.status(name).get("phase") == "Failed")

    def log(self, name: str, attempt: int = 0, container: str = "c") -> str:
        (path,) = (self.root / "log" / "pods").glob(f"default_{name}_*/{container}/{attempt}.log")
        return "\n".join(line.split(" ", 3)[3] for line in path.read_text().splitlines())

    def gone(self, name: str) -> bool:
        return ("pods", "default", name) not in self.api.objects


@contextlib.asynccontextmanager
async def world(folder: Path, cidr: str) -> AsyncIterator[World]:
    made = World(folder, cidr)
    url = await made.api.start()
    pki.make(folder)
    kubeconfig = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k"}}],
        "clusters": [{"name": "k", "cluster": {"server": url}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(kubeconfig))
    made.features = await shimclient.probe()
    await made.start_kubelet()
    try:
        yield made
    finally:
        if made.process is not None and made.process.returncode is None:
            made.process.terminate()
            async with asyncio.timeout(60):
                await made.process.wait()
        stop = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kubelet.stop", "--root-dir", str(made.root), stdout=asyncio.subprocess.DEVNULL
        )
        await stop.wait()
        await made.api.stop()


async def configuration_reaches_the_program(w: World) -> None:
    """Environment, files at their mountPath, service variables; a changed ConfigMap arrives in the volume."""
    w.api.put("configmaps", {"metadata": {"name": "cm", "namespace": "default"}, "data": {"a": "one"}})
    w.api.put("secrets", {"metadata": {"name": "s", "namespace": "default"}, "data": {"p": "cGFzcw=="}})
    volumes = [{"name": "v", "configMap": {"name": "cm"}}, {"name": "m", "emptyDir": {"medium": "Memory"}},
               {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]  # fmt: skip
    mounts = [{"name": "v", "mountPath": "/cfg"}, {"name": "m", "mountPath": "/scratch"},
              {"name": "m", "mountPath": "/part", "subPath": "a/b"},
              {"name": "t", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]  # fmt: skip
    env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}}, {"name": "Q", "value": "<$(P)>"},
           {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]  # fmt: skip
    script = (
        "R=$BINNACLE_POD_ROOT; echo $Q $(cat $R/cfg/a) $WEB_SERVICE_HOST ip=$IP; "
        "cat $R/var/run/secrets/kubernetes.io/serviceaccount/token; echo; "
        "touch $R/part/x && cat $R/scratch/a/b/x && echo made; "
        "while [ $(cat $R/cfg/a) = one ]; do sleep 0.05; done; echo changed; " + LOOP
    )
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    w.api.put("pods", pod("conf", {"name": "c", "command": ["sh", "-c", script], "env": env, "volumeMounts": mounts,
                                   "readinessProbe": probe}, volumes=volumes))  # fmt: skip
    await w.until(lambda: w.ready("conf"))
    ip = w.status("conf")["podIP"]
    assert ip.startswith(w.cidr.rsplit(".", 1)[0]), ip
    await w.until(lambda: "made" in w.log("conf"))
    assert w.log("conf").splitlines()[:2] == [f"<pass> one 10.96.0.9 ip={ip}", "token-1"], w.log("conf")
    w.api.put("configmaps", {"metadata": {"name": "cm", "namespace": "default"}, "data": {"a": "two"}})
    await w.until(lambda: "changed" in w.log("conf"))


async def restarts_are_counted_and_held_back(w: World) -> None:
    w.api.put("pods", pod("crash", {"name": "c", "command": ["sh", "-c", "echo oops > $BINNACLE_POD_ROOT/dev/"
                                                                         "termination-log; exit 3"]}))  # fmt: skip
    waiting = await w.until(lambda: w.container("crash")["state"].get("waiting"))
    await w.until(lambda: w.container("crash")["restartCount"] == 1 and "waiting" in w.container("crash")["state"])
    waiting = w.container("crash")["state"]["waiting"]
    assert waiting["reason"] == "CrashLoopBackOff" and "back-off 10s" in waiting["message"], waiting
    last = w.container("crash")["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "oops\n"), last


async def pods_that_end_and_pods_that_can_not_start(w: World) -> None:
    ends = {"restartPolicy": "Never"}
    init = {"name": "i", "image": "host", "command": ["true"]}
    w.api.put("pods", pod("done", {"name": "c", "command": ["true"]}, initContainers=[init], **ends))
    w.api.put("pods", pod("fails", {"name": "c", "command": ["false"]}, **ends))
    w.api.put("pods", pod("pull", {"name": "c", "image": "nginx:1"}))
    missing = {"name": "c", "command": ["true"], "envFrom": [{"configMapRef": {"name": "none"}}]}
    w.api.put("pods", pod("conferr", missing))
    w.api.put("pods", pod("noexec", {"name": "c", "command": ["/no/such/program"]}, **ends))
    await w.until(lambda: w.status("done")["phase"] == "Succeeded")
    assert w.status("done")["initContainerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    await w.until(lambda: w.status("fails")["phase"] == "Failed")
    await w.until(lambda: w.container("pull")["state"]["waiting"]["reason"] == "ImagePullBackOff")
    await w.until(lambda: any("install containerd or Docker" in text for text in w.api.events("Failed")))
    await w.until(lambda: w.container("conferr")["state"]["waiting"]["reason"] == "CreateContainerConfigError")
    assert w.container("conferr")["state"]["waiting"]["message"] == 'configmap "none" not found'
    await w.until(lambda: w.status("noexec")["phase"] == "Failed")
    assert w.container("noexec")["state"]["terminated"]["reason"] == "StartError"


async def a_failed_liveness_probe_restarts(w: World) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    container = {"name": "c", "command": ["sh", "-c", LOOP], "livenessProbe": probe}
    w.api.put("pods", pod("sick", container, terminationGracePeriodSeconds=2))
    await w.until(lambda: w.container("sick")["restartCount"] >= 1)
    await w.until(lambda: "Container c failed liveness probe, will be restarted" in w.api.events("Killing"))


async def a_pod_that_is_ending_is_ready_while_it_serves(w: World) -> None:
    """What drains its connections after SIGTERM says by its readiness probe when it does so no longer."""
    told, closed, asked = w.folder / "told", w.folder / "closed", w.folder / "asked"
    script = f"trap ': > {told}' TERM; while :; do sleep 0.05; done"
    ready = f"echo >> {asked}; test ! -e {closed}"
    probe = {"exec": {"command": ["sh", "-c", ready]}, "periodSeconds": 1, "failureThreshold": 1}
    sick = {"exec": {"command": ["test", "!", "-e", str(told)]}, "periodSeconds": 1, "failureThreshold": 1}
    w.api.put("pods", seeing(w.folder, "drains", {"name": "c", "command": ["sh", "-c", script], "readinessProbe": probe,
                                     "livenessProbe": sick}))  # fmt: skip
    await w.until(lambda: w.ready("drains"))
    w.api.delete_pod("drains", grace=600)
    await w.until(told.exists)
    before = asked.stat().st_size
    await w.until(lambda: asked.stat().st_size >= before + 3)  # the kubelet looks at it again
    assert w.ready("drains") and w.container("drains")["started"] and "running" in w.container("drains")["state"]
    closed.touch()
    await w.until(lambda: not w.ready("drains"))
    assert "running" in w.container("drains")["state"]
    w.api.delete_pod("drains", grace=1)
    await w.until(lambda: w.gone("drains"))


async def the_kubelet_may_die(w: World) -> None:
    """`kill -9`: the pod goes on, the next kubelet takes it up unchanged, and sees what ended in between."""
    w.api.put("pods", pod("steady", {"name": "c", "command": ["sh", "-c", "echo said; " + LOOP]}))
    go, went = w.folder / "go", w.folder / "went"
    short = f"until [ -e {go} ]; do sleep 0.05; done; : > {went}; exit 7"
    w.api.put("pods", seeing(w.folder, "short", {"name": "c", "command": ["sh", "-c", short]}, restartPolicy="Never"))
    await w.until(lambda: w.ready("steady") and w.ready("short"))
    before = w.container("steady")
    assert w.process is not None
    w.process.kill()
    await w.process.wait()
    go.touch()
    await w.until(went.exists)
    await w.start_kubelet()
    await w.until(lambda: w.status("short")["phase"] == "Failed")
    assert w.container("short")["state"]["terminated"]["exitCode"] == 7
    assert w.container("steady") == before
    uid = w.api.get("pods", "steady")["metadata"]["uid"]
    w.api.delete_pod("steady", grace=600)
    await w.until(lambda: w.gone("steady"))  # long before its grace is over: SIGTERM ends it
    await w.until(lambda: not (w.root / "pods" / uid).exists())
    assert w.log("steady") == "said", "the log outlives its pod"


async def the_shim_may_die(w: World) -> None:
    w.api.put("pods", pod("shimless", {"name": "c", "command": ["sh", "-c", LOOP]}))
    await w.until(lambda: w.ready("shimless"))
    uid = w.api.get("pods", "shimless")["metadata"]["uid"]
    shim = json.loads((w.root / "pods" / uid / "sandbox.json").read_text())["pid"]
    os.kill(shim, signal.SIGKILL)
    await w.until(lambda: w.container("shimless")["restartCount"] == 1 and w.ready("shimless"))
    assert w.container("shimless")["lastState"]["terminated"]["exitCode"] == 137


async def logs_and_commands_over_https(w: World) -> None:
    w.api.put("pods", pod("talk", {"name": "c", "command": ["sh", "-c", "echo one; echo two; " + LOOP]}))
    await w.until(lambda: w.ready("talk"))
    context = ssl.create_default_context(cafile=str(w.folder / "ca.crt"))
    base = f"https://127.0.0.1:{w.port}"
    async with aiohttp.ClientSession() as session:
        assert (await session.get(base + "/pods", ssl=context)).status == 401
    context.load_cert_chain(w.folder / "client.crt", w.folder / "client.key")
    async with aiohttp.ClientSession(base_url=base) as session:
        answer = await session.get("/containerLogs/default/talk/c?tailLines=1", ssl=context)
        assert await answer.text() == "two\n"
        assert (await session.get("/containerLogs/default/talk/c?tailLines=x", ssl=context)).status == 400
        for since, status in (("9" * 20, 200), ("-" + "9" * 20, 200), ("9" * 400, 400), ("x", 400)):
            answer = await session.get(f"/containerLogs/default/talk/c?sinceSeconds={since}", ssl=context)
            assert answer.status == status, since
            await answer.read()
        packed = await session.post(
            "/exec/default/talk/c", data=b"x", headers={"Content-Encoding": "gzip"}, ssl=context
        )
        assert packed.status == 400, "what is no gzip breaks no connection"
        answer = await session.post("/run/default/talk/c?cmd=echo%20hi", ssl=context)
        assert await answer.text() == "hi\n"
        assert (await session.post("/run/default/talk/c?cmd=absent%20x", ssl=context)).status == 400
        for path, status in HEADS:
            found, _ = await asyncio.to_thread(head_alone, w.port, path, context, then="/healthz")
            assert found == status, (path, found)
        url = "/exec/default/talk/c?command=sh&command=-c&command=cat;exit%204&stdin=true&stdout=true"
        async with session.ws_connect(url, ssl=context, protocols=["v5.channel.k8s.io"]) as socket:
            await socket.send_bytes(b"\0hello\n")
            await socket.send_bytes(b"\xff\0")
            messages = [message.data async for message in socket]
        assert messages[:2] == [b"\1", b"\x01hello\n"]
        assert json.loads(messages[2][1:])["details"]["causes"][0]["message"] == "4"


async def a_container_reads_from_who_attaches(w: World) -> None:
    reader = {"name": "c", "command": ["sh", "-c", "cat; exit 3"], "stdin": True, "stdinOnce": True}
    # A prompt is no whole line; who attaches sees it all the same.
    shell = {
        "name": "c",
        "command": ["sh", "-c", "printf '> '; read word; stty size; exit 4"],
        "stdin": True,
        "tty": True,
    }
    for name, container in (("reader", reader), ("shell", shell)):
        w.api.put("pods", pod(name, container, restartPolicy="Never"))
        await w.until(partial(w.ready, name))
    context = ssl.create_default_context(cafile=str(w.folder / "ca.crt"))
    context.load_cert_chain(w.folder / "client.crt", w.folder / "client.key")
    async with aiohttp.ClientSession(base_url=f"https://127.0.0.1:{w.port}") as session:
        for name, sent, got in (
            ("reader", [b"\0hello\n", b"\xff\0"], b"hello\n"),
            ("shell", [b'\4{"Width":99,"Height":33}', b"\0go\n"], b"> go\r\n33 99\r\n"),
        ):
            url = f"/attach/default/{name}/c?stdin=true&stdout=true"
            async with session.ws_connect(url, ssl=context, protocols=["v5.channel.k8s.io"]) as socket:
                for message in sent:
                    await socket.send_bytes(message)
                messages = [message.data async for message in socket]
            assert b"".join(m[1:] for m in messages if m[0] == 1) == got
            assert json.loads(messages[-1][1:])["status"] == "Success"
    for name, code in (("reader", 3), ("shell", 4)):
        await w.until(partial(w.failed, name))
        assert w.container(name)["state"]["terminated"]["exitCode"] == code


async def containers_that_share_their_processes(w: World) -> None:
    """A sidecar signals the program beside it; an ephemeral container sees those of its target."""
    place = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = "trap 'echo reloaded' HUP; echo $$$$ > $BINNACLE_POD_ROOT/v/pid; while :; do sleep 0.05; done"
    program = {"name": "c", "command": ["sh", "-c", script], **place}
    signals = "until kill -HUP $(cat $BINNACLE_POD_ROOT/v/pid); do sleep 0.05; done; "
    looks = "until grep -qs '[r]eloaded' /proc/[0-9]*/cmdline; do sleep 0.05; done; echo seen; "
    debugger = {"name": "e", "image": "host", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", looks + LOOP],
                "targetContainerName": "c"}  # fmt: skip
    volumes = {"volumes": [{"name": "v", "emptyDir": {}}], "terminationGracePeriodSeconds": 1}
    sidecar = {"name": "d", "command": ["sh", "-c", signals + LOOP], **place}
    w.api.put("pods", pod("shares", program, sidecar, shareProcessNamespace=True, **volumes))
    w.api.put("pods", pod("alone", program, ephemeralContainers=[debugger], **volumes))
    await w.until(lambda: w.ready("shares") and "reloaded" in w.log("shares"))
    await w.until(lambda: "running" in w.status("alone")["ephemeralContainerStatuses"][0]["state"])
    await w.until(lambda: "seen" in w.log("alone", container="e"))


async def a_container_is_confined(w: World) -> None:
    """Its root file system is read-only but for volumes, where it has mounts of its own; dropped capabilities are gone."""
    script = (
        f"touch $BINNACLE_POD_ROOT/v/x && echo written; chown 1 $BINNACLE_POD_ROOT/v/x || echo powerless; "
        f'if [ -z "$BINNACLE_POD_ROOT" ]; then touch {w.folder}/outside; else false; fi || echo sealed; ' + LOOP
    )
    security = {"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
    container = {"name": "c", "command": ["sh", "-c", script], "securityContext": security,
                 "volumeMounts": [{"name": "v", "mountPath": "/v"}]}  # fmt: skip
    w.api.put(
        "pods", pod("confined", container, volumes=[{"name": "v", "emptyDir": {}}], terminationGracePeriodSeconds=1)
    )
    await w.until(lambda: w.ready("confined") and "sealed" in w.log("confined"))
    assert [line for line in w.log("confined").splitlines() if ":" not in line] == ["written", "powerless", "sealed"]
    assert not (w.folder / "outside").exists()


async def the_node_is_registered(w: World) -> None:
    node = w.api.get("nodes", "n1", "")
    ready = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "True" and node["metadata"]["labels"]["node.binnacle/runtime"] == "process"
    lease = w.api.get("leases", "n1", "kube-node-lease")
    assert lease["spec"]["holderIdentity"] == "n1"


async def main(folder: Path, cidr: str) -> None:
    async with world(folder, cidr) as w:
        service = {"metadata": {"name": "web", "namespace": "default"}}
        w.api.put("services", service | {"spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 80}]}})
        await asyncio.gather(
            configuration_reaches_the_program(w),
            restarts_are_counted_and_held_back(w),
            pods_that_end_and_pods_that_can_not_start(w),
            a_failed_liveness_probe_restarts(w),
            logs_and_commands_over_https(w),
            a_container_reads_from_who_attaches(w),
            a_pod_that_is_ending_is_ready_while_it_serves(w),
            containers_that_share_their_processes(w),
            a_container_is_confined(w),
            isolation.a_hostile_container_gets_nothing(w),
            isolation.a_profile_of_the_machine_holds(w),
            isolation.what_privileged_gives_back(w),
            isolation.a_home_is_made_in_the_container_alone(w),
            isolation.other_processes_can_be_seen_and_not_entered(w),
            isolation.a_link_in_a_volume_leads_nowhere_else(w),
            *ownusers.all_of(w),
        )
        await the_node_is_registered(w)
        await the_kubelet_may_die(w)
        await the_shim_may_die(w)
        for key in [key for key in w.api.objects if key[0] == "pods"]:
            w.api.delete_pod(key[2], grace=1)
        await w.until(lambda: not any(key[0] == "pods" for key in w.api.objects))
        await w.until(lambda: not list((w.root / "pods").iterdir()))


if __name__ == "__main__":
    fakeapi.mapped = sys.argv[3:] == ["mapped"]
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))

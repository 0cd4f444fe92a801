"""The node agent as a whole: what it is made of, and which pods have workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from client import ApiStatusError, Client, Reflector, resource_path
from client.events import Recorder
from kube.objects import Json
from kube.pods import podutil
from kubelet import admission, lease, localstorage, machine
from kubelet.cleanup import remove_orphans
from kubelet.containers import Builder
from kubelet.fields import PodFacts
from kubelet.node import NodeManager
from kubelet.options import Options
from kubelet.podfiles import PodFiles
from kubelet.runtimes.base import Runtime
from kubelet.server import app
from kubelet.sources import Sources
from kubelet.stats.sampler import Sampler
from kubelet.tokens import TokenManager
from kubelet.volumes.base import Context
from kubelet.volumes.manager import layout
from kubelet.worker import PodWorker, Tools

if TYPE_CHECKING:
    from kube.shapes import PodLike

log = logging.getLogger("kubelet")


class Agent:
    """`workers` by pod uid: one task each, so that no pod waits for another."""

    def __init__(self, client: Client, options: Options, runtime: Runtime) -> None:
        self.client, self.options, self.runtime = client, options, runtime
        self.machine = machine.inspect(options.root_dir)
        self.recorder = Recorder(client, "kubelet", options.node_name)
        self.sources = Sources(client, lambda uid: self._tell(uid, PodWorker.content_changed))
        self.node = NodeManager(client, options, self.machine, runtime, self.recorder)
        self.workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._services = Reflector(client, resource_path("v1", "services"))
        self.pods = Reflector(
            client,
            resource_path("v1", "pods"),
            {"fieldSelector": f"spec.nodeName={options.node_name}"},
            on_add=self._add,
            on_update=lambda old, new: self._add(new),
            on_delete=lambda pod: self._tell(podutil.uid(pod), PodWorker.removed),
        )
        self.sampler = Sampler(options.node_name, options.root_dir, self.pods.items.values, self.runtime.measurable)
        self.tools: Tools | None = None

    # -- start ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until cancelled; pods go on running after that."""
        server = None
        background = [asyncio.create_task(self.recorder.run()), asyncio.create_task(self._services.run())]
        try:
            await self.node.register()
            pod_cidr = self.node.obj["spec"].get("podCIDR") or self.options.pod_cidr
            await self.runtime.start(lambda uid: self._tell(uid, PodWorker.wake), pod_cidr)
            self.tools = self._tools()
            server = await app.start(self) if self.options.port else None
            uid = self.node.obj["metadata"]["uid"]
            background += [
                asyncio.create_task(lease.run(self.client, self.options.node_name, uid)),
                asyncio.create_task(self.node.run()),
                asyncio.create_task(self.sampler.run()),
            ]
            # A container started before the services are known would miss their variables for good.
            await self._services.synced.wait()
            background.append(asyncio.create_task(self.pods.run()))
            await self.pods.synced.wait()
            background += [asyncio.create_task(remove_orphans(self)), asyncio.create_task(self._guard_disk())]
            await asyncio.gather(*background)
        finally:
            for task in [*background, *self._tasks.values()]:
                task.cancel()
            await asyncio.gather(*background, *self._tasks.values(), return_exceptions=True)
            if server is not None:
                await server.close()
            await self.runtime.close()

    def _tools(self) -> Tools:
        options = self.options
        files = PodFiles(options.root_dir, options.node_name, options.cluster_dns, options.cluster_domain)
        tokens = TokenManager(self.client)
        return Tools(
            client=self.client,
            runtime=self.runtime,
            recorder=self.recorder,
            sources=self.sources,
            tokens=tokens,
            volumes=Context(layout(options.root_dir), self.sources, tokens, self.client, self._facts),
            files=files,
            builder=Builder(
                files,
                options.logs,
                self.sources,
                self._services.items.values,
                self._facts,
                options.node_name,
                self.runtime.shared_network,
                self.runtime.own_users,
                options.root_dir / "seccomp",
            ),
            refuse_resize=self._refuse_resize,
            host_ip=options.address,
            node=options.node_name,
            root=options.root_dir,
        )

    def _facts(self, pod: PodLike, address: str = "") -> PodFacts:
        return PodFacts(address, self.options.address, self.machine.cpus * 1000, self.machine.memory)

    # -- pods -----------------------------------------------------------------------------------------------------------

    def _add(self, pod: PodLike) -> None:
        uid = podutil.uid(pod)
        if uid in self.workers:
            self.workers[uid].update(pod)
            return
        assert self.tools is not None, "pods are watched after the runtime has started"
        worker = PodWorker(pod, self.tools)
        refusal = self._refusal(worker, self.node.obj)
        if refusal is not None and refusal.reason not in admission.OF_THE_NODE:
            worker.refuse(*refusal)
        self.workers[uid] = worker
        running = self._run_if_suited(worker) if refusal is not None else worker.run()
        task = self._tasks[uid] = asyncio.create_task(running, name=f"pod {podutil.full_name(pod)}")
        task.add_done_callback(lambda done: self._ended(uid, done))

    def _refusal(self, worker: PodWorker, node: Json) -> admission.Refusal | None:
        """Why the node does not take the pod. One that it took once it has: an earlier kubelet did."""
        if worker.ending or podutil.start_time(worker.pod) is not None:
            return None
        return admission.refuse(worker.pod, node, self._others(worker), self.runtime.shared_network)

    def _refuse_resize(self, worker: PodWorker) -> admission.Refusal | None:
        return admission.refuse_resize(worker.pod, self.node.obj, self._others(worker))

    def _others(self, worker: PodWorker) -> list[PodLike]:
        return [other.resizer.pod() for other in self.workers.values() if other is not worker and other.counts]

    async def _run_if_suited(self, worker: PodWorker) -> None:
        """The node may have other labels and taints by now."""
        if not worker.ending:
            try:
                self.node.obj = await self.client.get(resource_path("v1", "nodes", "", self.options.node_name))
            except (ApiStatusError, OSError) as error:
                log.warning("the node is not read anew: %s", error)
            if (refusal := self._refusal(worker, self.node.obj)) is not None:
                worker.refuse(*refusal)
        await worker.run()

    def _tell(self, uid: str, what: Callable[[PodWorker], None]) -> None:
        if uid in self.workers:
            what(self.workers[uid])

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self.workers.pop(uid, None)
        self._tasks.pop(uid, None)
        for worker in self.workers.values():
            if worker.resizer.pending is not None:
                worker.wake()  # there may be room now
        if not task.cancelled() and task.exception() is not None:
            log.error("the worker of pod %s failed", uid, exc_info=task.exception())

    async def _guard_disk(self) -> None:
        assert self.tools is not None
        while True:
            await localstorage.enforce(
                [*self.workers.values()], self.tools.volumes, self.tools.builder.log_folder, self.runtime.measurable
            )
            await asyncio.sleep(localstorage.PERIOD)

"""The end of a pod: its containers stop, its status is final, and when it was deleted the API is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from client import ApiStatusError, resource_path
from kube.pods import podutil
from kubelet.disk import remove_tree
from kubelet.runtimes.base import PodState

if TYPE_CHECKING:
    from kubelet.worker import PodWorker

IDLE = 3600.0


class Termination:
    """Belongs to one worker.  `step()` may be called as often as one likes."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._sandbox_stopped = False

    async def step(self, state: PodState | None) -> float | None:
        """Seconds until the next look; None when nothing of the pod is left.

        1. Containers are stopped, sidecars after the others.
        2. The last status is written, then the sandbox goes.
        3. A deleted pod is removed from the API (grace 0, this uid only), then its files; its logs stay a while, see
           `kubelet.logs.dead`.
        """
        worker = self._worker
        running = worker.running(state)
        if running:
            self._stop(list(running), state)
            worker.publish(state)
            return 1.0
        if worker.stops:
            return 0.1  # they still look at the files that go next
        if podutil.deleting(worker.pod) and not podutil.finished(worker.pod) and worker.outcome.phase is None:
            # It ends as a finished one, so that controllers count it rightly.
            latest = [state.latest(c["name"]) if state else None for c in podutil.mains(worker.pod)]
            well = all(run is not None and run.exit_code == 0 for run in latest)
            worker.outcome.phase = "Succeeded" if well else "Failed"
        worker.publish(state)
        if not self._sandbox_stopped:
            await worker.tools.runtime.stop_sandbox(worker.uid)
            self._sandbox_stopped = True
        await worker.writer.settled()
        if not worker.lost and not worker.writer.gone:
            if not podutil.deleting(worker.pod):
                return IDLE
            await self._delete()
        worker.tools.sources.release(worker.uid)
        worker.tools.tokens.release(worker.uid)
        await worker.tools.runtime.remove_pod(worker.uid)
        await asyncio.to_thread(remove_tree, worker.tools.root / "pods" / worker.uid)
        return None

    def _stop(self, running: list[str], state: PodState | None) -> None:
        worker = self._worker
        grace = 0.0 if worker.lost and not podutil.deleting(worker.pod) else podutil.grace_period(worker.pod)
        sidecars = [c["name"] for c in podutil.inits(worker.pod) if podutil.is_sidecar(c) and c["name"] in running]
        first = [name for name in running if name not in sidecars] or sidecars[-1:]
        for name in first:
            worker.stop(name, f"Stopping container {name}", grace, state)

    async def _delete(self) -> None:
        metadata = self._worker.pod["metadata"]
        path = resource_path("v1", "pods", metadata["namespace"], metadata["name"])
        try:
            await self._worker.tools.client.delete(
                path, {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            )
        except ApiStatusError as error:
            if not (error.not_found or error.conflict):
                raise

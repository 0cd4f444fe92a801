"""Starting a pod's containers: volumes, sandbox, image, configuration, start, postStart; with back-off."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kube.objects import Json
from kube.pods import podutil
from kubelet import hooks
from kubelet.backoff import CrashBackoff
from kubelet.plan import Plan
from kubelet.runtimes.base import ConfigError, CreateError, ImageError, PodState, StartError
from kubelet.volumes.base import Ready, VolumeError

if TYPE_CHECKING:
    from kube.shapes import ContainerLike
    from kubelet.worker import PodWorker

RESYNC = 30.0
MOUNT_RETRY = 2.0
CONFIG_RETRY = 10.0


class Launcher:
    """Belongs to one worker; keeps back-offs and running postStart hooks."""

    def __init__(self, worker: PodWorker) -> None:
        self._worker = worker
        self._tools = worker.tools
        self._crashes = CrashBackoff()
        self._images = CrashBackoff()
        self._image_failed: dict[str, tuple[float, str]] = {}
        self._hooks: dict[str, asyncio.Task[None]] = {}

    def close(self) -> None:
        for task in self._hooks.values():
            task.cancel()

    def hook_done(self, container_id: str) -> bool:
        """Whether the postStart hook of this start is over (or there was none)."""
        return container_id not in self._hooks

    async def launch(self, plan: Plan, state: PodState | None) -> float:
        """Starts what is due; seconds until something else is."""
        worker = self._worker
        due = [name for name in plan.start if name not in worker.stops]
        waits = [self._crash_wait(name, state) for name in due]
        due = [name for name, wait in zip(due, waits, strict=True) if wait <= 0]
        next_look = min([wait for wait in waits if wait > 0], default=RESYNC)
        if not due:
            return next_look
        try:
            ready = await worker.ensure_volumes()
        except VolumeError as error:
            worker.say("Warning", "FailedMount", str(error))
            return MOUNT_RETRY
        if state is None or not state.ready:
            if state is not None and state.containers:
                worker.say("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
            try:
                await self._tools.runtime.run_sandbox(worker.sandbox(ready))
            except (OSError, TimeoutError) as error:
                worker.say("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
                raise
        state = self._tools.runtime.state(worker.uid)
        assert state is not None
        for name in due:
            if self._hooks:
                break  # a postStart hook holds back the containers after its own; its end wakes the worker
            next_look = min(next_look, await self._start(name, state, ready))
        return next_look

    # -- one container --------------------------------------------------------------------------------------------------

    def _crash_wait(self, name: str, state: PodState | None) -> float:
        """Seconds that a crashed container still has to wait."""
        latest = state.latest(name) if state else None
        if latest is None or latest.finished_at is None:
            return 0.0
        left = self._crashes.ready_at(name, latest.started_at, latest.finished_at) - time.time()
        if left <= 0:
            return left
        metadata = self._worker.pod["metadata"]
        pod = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        minutes, rest = divmod(int(self._crashes.delay(name)), 60)
        delay = f"{minutes}m{rest}s" if minutes else f"{rest}s"  # as Go prints it: 10s, 1m20s, 5m0s
        message = f"back-off {delay} restarting failed container={name} pod={pod}"
        if self._worker.waiting.get(name) != ("CrashLoopBackOff", message):
            self._worker.waiting[name] = ("CrashLoopBackOff", message)
            text = f"Back-off restarting failed container {name} in pod {pod}"
            self._worker.say("Warning", "BackOff", text, name)
        return left

    async def _start(self, name: str, state: PodState, ready: dict[str, Ready]) -> float:
        worker = self._worker
        asked = podutil.container(worker.pod, name)
        assert asked is not None
        container = worker.resizer.granted(asked)
        wait = await self._image(container)
        if wait:
            return wait
        latest = state.latest(name)
        if latest is not None:
            attempt = latest.attempt + 1
        else:  # the node's own records may be gone: it counts on from the API's number
            reported = podutil.reported(worker.pod, name) or {}
            attempt = int(reported.get("restartCount") or 0) + 1 if reported.get("containerID") else 0
        try:
            spec = await self._tools.builder.build(worker.pod, container, attempt, worker.address(state), ready)
            if latest is not None:
                self._crashes.restarted(name)
            identifier = await self._tools.runtime.start_container(worker.uid, spec)
        except (ConfigError, CreateError) as error:
            reason = "CreateContainerConfigError" if isinstance(error, ConfigError) else "CreateContainerError"
            worker.waiting[name] = (reason, str(error))
            worker.say("Warning", "Failed", f"Error: {error}", name)
            return CONFIG_RETRY
        except StartError as error:
            worker.waiting[name] = ("RunContainerError", str(error))
            worker.say("Normal", "Created", f"Created container: {name}", name)
            worker.say("Warning", "Failed", f"Error: {error}", name)
            return 0.05
        worker.resizer.started(identifier, container)
        worker.waiting.pop(name, None)
        worker.say("Normal", "Created", f"Created container: {name}", name)
        worker.say("Normal", "Started", f"Started container {name}", name)
        handler = (container.get("lifecycle") or {}).get("postStart")
        if handler:
            self._hooks[identifier] = asyncio.create_task(self._post_start(container, handler, identifier, state))
        # One ended start is kept beside the newest, for `kubectl logs --previous`.
        for old in state.containers:
            if old.name == name and old.attempt < attempt - 1:
                await self._tools.runtime.remove_container(worker.uid, name, old.attempt)
                self._tools.files.forget_start(worker.uid, name, old.attempt, old.log)
        return 0.05

    # -- images ---------------------------------------------------------------------------------------------------------

    async def _image(self, container: ContainerLike) -> float:
        """0 when the image is there, else seconds until the next try; sets the waiting reason."""
        worker, name, image = self._worker, container["name"], container["image"]
        if self._tools.runtime.has_image(image):
            message = f'Container image "{image}" already present on machine'
            worker.say("Normal", "Pulled", message, name)
            self._image_failed.pop(name, None)
            return 0.0
        if container.get("imagePullPolicy") == "Never":
            message = f'Container image "{image}" is not present with pull policy of Never'
            worker.waiting[name] = ("ErrImageNeverPull", message)
            worker.say("Warning", "ErrImageNeverPull", message, name)
            return RESYNC
        left = self._image_wait(name, image)
        return left if left > 0 else await self._pull(name, image)

    def _image_wait(self, name: str, image: str) -> float:
        failed = self._image_failed.get(image)
        if failed is None:
            return 0.0
        at, why = failed
        left = at + self._images.delay(image) - time.time()
        if left > 0 and self._worker.waiting.get(name, ("", ""))[0] != "ImagePullBackOff":
            message = f'Back-off pulling image "{image}"'
            self._worker.waiting[name] = ("ImagePullBackOff", f"{message}: ErrImagePull: {why}")
            self._worker.say("Normal", "BackOff", message, name)
            self._worker.say("Warning", "Failed", "Error: ImagePullBackOff", name)
        return left

    async def _pull(self, name: str, image: str) -> float:
        worker = self._worker
        worker.say("Normal", "Pulling", f'Pulling image "{image}"', name)
        try:
            await self._tools.runtime.pull(image)
        except ImageError as error:
            self._images.restarted(image)
            self._image_failed[image] = (time.time(), error.message)
            worker.waiting[name] = (error.reason, error.message)
            worker.say("Warning", "Failed", error.message[0].upper() + error.message[1:], name)
            worker.say("Warning", "Failed", f"Error: {error.reason}", name)
            return 1.0
        worker.say("Normal", "Pulled", f'Successfully pulled image "{image}"', name)
        return 0.0

    # -- postStart ------------------------------------------------------------------------------------------------------

    async def _post_start(self, container: ContainerLike, handler: Json, identifier: str, state: PodState) -> None:
        worker, name = self._worker, container["name"]
        try:
            await hooks.call(self._tools.runtime, worker.uid, worker.address(state), container, handler, None)
        except (hooks.HookError, OSError) as error:
            worker.say("Warning", "FailedPostStartHook", f"PostStartHook failed: {error}", name)
            worker.stop(name, "FailedPostStartHook", podutil.grace_period(worker.pod), state)
        finally:
            self._hooks.pop(identifier, None)
            worker.wake()

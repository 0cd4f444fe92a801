"""`python -m kubelet`: the node agent."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from client import Client, KubeconfigError
from kubelet.agent import Agent
from kubelet.metrics import REQUESTS
from kubelet.options import Options, parse
from kubelet.runtimes.base import Runtime
from kubelet.runtimes.process.runtime import ProcessRuntime
from kubelet.runtimes.simulated import SimulatedRuntime
from telemetry import logs


def main() -> None:
    options = parse()
    logs.set_up()
    try:
        options.root_dir.mkdir(parents=True, exist_ok=True)
        asyncio.run(serve(options))
    except (KubeconfigError, OSError) as error:
        sys.exit(f"kubelet: {error}")


def make_runtime(options: Options) -> Runtime:
    if options.runtime == "simulated":
        return SimulatedRuntime()
    return ProcessRuntime(str(options.root_dir))


async def serve(options: Options) -> None:
    """Until SIGTERM or SIGINT; the pods stay."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    async with Client.from_file(
        options.kubeconfig, user_agent="kubelet/v1.36.3", connections=128, observer=REQUESTS
    ) as client:
        agent = Agent(client, options, make_runtime(options))
        try:
            await agent.run()
        except asyncio.CancelledError:
            logging.getLogger("kubelet").info("stopping; pods go on running")


if __name__ == "__main__":
    main()

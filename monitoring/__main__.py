"""`python -m monitoring`: measures, remembers and answers until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import sqlite3
import sys
import time

import uvloop

from client import Client
from client.kubeconfig import KubeconfigError
from client.pod import api
from monitoring.exposition import REQUESTS
from monitoring.options import Options, parse
from monitoring.program import Program
from telemetry import logs


async def main(options: Options) -> None:
    """Until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    config = api(options.api_server, options.kubeconfig)
    async with Client(config, connections=48, user_agent="binnacle-monitoring", observer=REQUESTS) as client:
        program = Program(options, client)
        running = asyncio.ensure_future(program.run())
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        running.cancel()
        await asyncio.wait({running})
        program.history.close()


if __name__ == "__main__":
    logs.set_up()
    started = time.monotonic()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(main(parse()))
        except (OSError, sqlite3.Error, KubeconfigError, ValueError) as error:
            sys.exit(f"monitoring: {error}")
    logging.getLogger("monitoring").info("stopped after %.0f s", time.monotonic() - started)

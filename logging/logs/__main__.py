"""`python -m logs`: the log store. Keeps lines and answers searches until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import sys

from client.access import Access
from client.kubeconfig import Config, KubeconfigError
from logs.exposition import Tally
from logs.options import ELASTICSEARCH, parse
from logs.server import Pages
from logs.ship.options import api
from telemetry.logs import set_up

log = logging.getLogger("logs")


def pages(options: argparse.Namespace, config: Config | None) -> Pages:
    """The store that was chosen, behind its pages. Raises OSError or ValueError."""
    # Only what was chosen is imported: tantivy takes more memory than the rest of a store that keeps no lines.
    if options.store == ELASTICSEARCH:
        from logs.search.elastic import Elastic

        return Pages(Elastic.at(options.elasticsearch_url), Access(config), Tally())
    from logs.index.backend import Embedded
    from logs.index.parts import Bounds, Parts
    from logs.index.writer import Writer

    loop = asyncio.get_running_loop()
    parts = Parts(options.data_dir, Bounds(options.retention_days, options.max_size, options.keep_free))

    def committed() -> None:
        loop.call_soon_threadsafe(made.committed)

    writer = Writer(parts, committed)
    made = Pages(Embedded(parts, writer), Access(config), Tally(), writer)
    return made


async def main(options: argparse.Namespace, config: Config | None) -> None:
    """Until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    made = pages(options, config)
    web = made.web()
    await web.listen(options.address or "0.0.0.0", options.port)
    log.info("listening on port %d, lines are in %s", options.port, options.store)
    gc.collect()
    gc.freeze()
    await stopping.wait()
    await web.close()
    await made.close()


if __name__ == "__main__":
    set_up()
    options = parse()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(main(options, api(options)))
    except (OSError, ValueError, KubeconfigError) as error:
        sys.exit(f"logs: {error}")

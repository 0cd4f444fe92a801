"""`python -m kubeproxy.stop --state-dir D`: removes the rules and the route that a kube-proxy left behind."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from kubeproxy import nftables, routes


def stop(state_dir: Path) -> None:
    """Undo what the note in `state_dir` says; nothing happens without one."""
    path = state_dir / "state.json"
    if not path.exists():
        return
    note = json.loads(path.read_text())
    if note["table"]:
        asyncio.run(nftables.run_nft(f"add table ip {note['table']}\ndelete table ip {note['table']}"))
    if note["route"]:
        routes.remove(note["route"])
    path.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m kubeproxy.stop", description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    stop(parser.parse_args().state_dir)

"""Termination messages: what a container left behind to say why it ended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kubelet.logs.reader import last_lines
from kubelet.runtimes.base import ContainerState

if TYPE_CHECKING:
    from kube.shapes import ContainerLike

MAX_MESSAGE = 4096
FALLBACK_LINES, FALLBACK_BYTES = 80, 2048


def read(container: ContainerLike, state: ContainerState, file: Path) -> str:
    """The message file's content; of a failed container that wrote none, the end of its log if its policy says so."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_MESSAGE).decode("utf-8", "replace")
    except OSError:
        text = ""
    if text or state.exit_code == 0 or container.get("terminationMessagePolicy") != "FallbackToLogsOnError":
        return text
    lines = last_lines(state.log, FALLBACK_LINES)
    return "".join(lines)[-FALLBACK_BYTES:]

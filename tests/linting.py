"""Lets import-linter see `logging/logs`: it loads this module (`contract_types` in pyproject.toml) before all packages."""

from __future__ import annotations

import sys
from pathlib import Path

from importlinter.contracts.layers import LayersContract

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "logging"))


class Layers(LayersContract):
    """The layers contract as it is."""

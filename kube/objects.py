"""The objects of the API, as Python types. What their fields hold is in `kube.shapes`, for mypy."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]  # an object of any kind, or a part of one, as it stands in JSON

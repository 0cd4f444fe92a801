"""Nodes that hold a pod's images already are liked, the more the larger the images and the more nodes hold them."""

from __future__ import annotations

import numpy as np

from scheduler.columns import Array
from scheduler.plugins.base import MAX_SCORE, Plugin, View
from scheduler.pods import PodInfo

MIB = 1024 * 1024
SMALLEST = 23 * MIB
LARGEST = 1000 * MIB


def normalized(image: str) -> str:
    """An image name as the kubelet reports it: with a tag."""
    return image if ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"


class ImageLocality(Plugin):
    name = "ImageLocality"

    def score(self, pod: PodInfo, view: View, feasible: Array) -> Array | None:
        known = [view.table.images[name] for name in map(normalized, pod.cls.images) if name in view.table.images]
        if not known:
            return None
        nodes = max(len(view.table), 1)
        total = np.sum([column[view.where] * (size * column.sum() / nodes) for size, column in known], axis=0)
        top = LARGEST * len(pod.cls.images)
        scores: Array = (np.clip(total, SMALLEST, top) - SMALLEST) * MAX_SCORE / (top - SMALLEST)
        return scores

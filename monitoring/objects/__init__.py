"""The state of objects as metrics, under the names, labels and values of kube-state-metrics.

families.py   what a family is, and how an object becomes lines
pods.py, containers.py, nodes.py, …   the families of one kind of object each
selection.py  which labels and annotations of objects are shown
catalogue.py  all kinds
custom.py, paths.py   families of custom resources, by a configuration
mirror.py, following.py   the objects of one kind; of custom kinds, as they come and go
metrics.py    mirrors of all kinds, and the exposition

An object is rendered when it changes and kept as bytes, a piece for each family: nothing else is remembered of it. A scrape
joins the pieces family by family.
"""

from monitoring.objects.catalogue import RESOURCES
from monitoring.objects.metrics import ObjectMetrics

__all__ = ["RESOURCES", "ObjectMetrics"]

"""The state of objects as metrics, under the names, labels and values of kube-state-metrics.

families.py   what a family is, and how an object becomes lines
pods.py, containers.py, nodes.py, …   the families of one kind of object each
catalogue.py  all kinds
metrics.py    reflectors of all kinds, and the exposition

An object is rendered when it changes and kept as bytes, a piece for each family: nothing else is remembered of it. A scrape
joins the pieces family by family.
"""

from monitoring.objects.catalogue import RESOURCES
from monitoring.objects.metrics import ObjectMetrics

__all__ = ["RESOURCES", "ObjectMetrics"]

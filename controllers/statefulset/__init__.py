"""StatefulSets: pods with a name, an ordinal and volume claims of their own, created and replaced in order.

identity: names, labels, claims of one ordinal · plan: what to do next, pure · controller: does it and tells the status
"""

from controllers.statefulset.controller import StatefulSetController

__all__ = ["StatefulSetController"]

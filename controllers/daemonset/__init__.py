"""DaemonSets: one pod on every node that suits it.

placement: which nodes, pure · update: which pods a new template replaces, pure · controller: does it
"""

from controllers.daemonset.controller import DaemonSetController

__all__ = ["DaemonSetController"]

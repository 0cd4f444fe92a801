"""Jobs: pods that run to completion, each counted exactly once.

indexes: sets of completion indexes as text · policy: failure and success policies · facts: what the pods say · limits:
when a job is over · accounting: counting finished pods under their finalizer · controller: the steps
"""

from controllers.job.controller import JobController

__all__ = ["JobController"]

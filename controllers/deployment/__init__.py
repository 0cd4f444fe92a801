"""Deployments: which replica set is the new one, and how many replicas each one has on the way there.

revisions: the new replica set and its annotations · sizes: pure arithmetic · rollout: the steps · status: what is told
"""

from controllers.deployment.controller import DeploymentController

__all__ = ["DeploymentController"]

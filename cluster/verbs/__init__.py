"""The verbs of the API, one a file, without HTTP. Start with `cluster.verbs.session.Session`."""

from cluster.verbs.session import Session

__all__ = ["Session"]

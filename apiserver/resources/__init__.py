"""Handlers of resource requests, one verb a file; `dispatch` chooses."""

"""Logs of the cluster: shipping (`logs.ship`), stores (`logs.elastic`, `logs.index`), search (`logs.query`, `logs.server`).

The folder `logging` around this package is no package: it would hide Python's own. Programs find `logs` through
PYTHONPATH=logging (relative to the project, where `binnacle/…` images start).
"""

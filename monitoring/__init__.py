"""Monitoring: figures of objects, their history, and what is asked of them.

objects/      the state of the cluster's objects as metrics (the role of kube-state-metrics)
discovery.py  where everything that has metrics can be scraped
history/      samples kept on disk
queries/      ranges of node, pod, container, workload and namespace
server.py     the pod that serves all of it
"""

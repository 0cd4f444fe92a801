"""What the kubelets measure, fetched each 15 s and put into the history.

page.py      /metrics/cadvisor -> readings
kubelets.py  the line to them
owners.py    pods, their nodes, restarts, and the workloads they belong to
totals.py    what namespaces and workloads use together
scraper.py   the loop
"""

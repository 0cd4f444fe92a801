"""What containers, pods and the node use, measured every 10 s.

model.py      the figures
groups.py     from control groups of either version
processes.py  from /proc, where there is no control group
machine.py    of the whole machine; network interfaces; folders
sampler.py    takes the samples and makes rates of them
cadvisor.py, resources.py, summary.py   a sample as /metrics/cadvisor, /metrics/resource, /stats/summary
nodepage.py   the machine as /metrics/node, as node-exporter shows it
exposition.py Prometheus' text format
"""

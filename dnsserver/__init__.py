"""The cluster's DNS server: the Kubernetes DNS specification 1.1 for one cluster, and forwarding of everything else.

Protocol apart from I/O; each module knows only those above it:

wire.py      packets: parsing queries and replies, writing answers (bytes only)
records.py   services, endpoint slices, namespaces and pods, as compact records with indexes
config.py    the mounted ConfigMap and resolv.conf -> which servers to ask for what
zone.py      the specification: a name and a type -> an answer (pure)
cache.py     packed answers by question, dropped precisely when a service changes; replies of upstream servers
metrics.py   counters under CoreDNS's names
upstream.py  asking other servers: retries, time limits, one question at a time for all who ask it
server.py    a packet in, a packet out
listeners.py UDP and TCP; web.py: /metrics /health /ready; sources.py: the API
"""

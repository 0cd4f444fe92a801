"""SPDY/3.1 as far as Kubernetes uses it: streams over one connection, for port-forward, and for exec of older clients.

frames.py   bytes to frames and back
session.py  streams over a connection
carrier.py  the two connections that carry it: an upgraded HTTP connection, or a WebSocket
streams.py  exec and attach: SPDY streams behind the face of a WebSocket with channels
"""

"""Many nodes in one process, whose pods come to run without processes.

stages.py   what becomes of a pod (pure)
nodes.py    the nodes: registration and heartbeats
fleet.py    all pods watched once; status patches and deletions, many at a time
figures.py  what their containers use, made up (pure)
server.py   the pages of their kubelets, all behind one port
pipe.py     requests at a fraction of a general client's cost
"""

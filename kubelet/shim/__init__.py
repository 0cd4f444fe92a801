"""The process that stands between a pod and the kubelet: one a pod, small, and alive when the kubelet is not.

These modules are run by `python -I -S`: they import the standard library and each other, nothing else.  The kubelet
starts one zygote; it forks a pod's shim, so that the interpreter's pages are shared among all of them.

zygote.py  forks shims on request, dies with the kubelet
pod.py     the shim: namespaces of the pod, its control socket, its event loop
container.py  starting one container, and its end
execs.py   commands inside a running container
taps.py    output for attached clients
users.py   user namespaces of single pods
mounts.py  the container's view of the file system
logs.py    CRI log files with rotation
syscalls.py, procs.py, files.py  what the standard library lacks
"""

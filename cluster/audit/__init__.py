"""The audit log: who did what, as JSON lines of `audit.k8s.io/v1` Events, in the state folder's `audit/`.

`policy` says what of a request is written, `events` makes the lines, `writer` puts them on the disk from a thread of its
own, within bounds, `reading` searches the newest. The API server and the dashboard write into the same file.
"""

"""The shipper: reads the logs of a node and brings each line to the store exactly once.

    files ──▶ series ──▶ formats ──▶ joining ──▶ parsing ──▶ sending ──▶ a logs.record.Store
    (what is there)  (bytes, through rotations)  (partials, traces)  (level, fields)  │
                        ▲                                                             ▼
                        └────────────────── positions (on disk, written after the store has said yes)

The log files are the buffer: nothing is copied. While the store does not take lines, reading stops, and what the kubelet
keeps of a container (10 MiB × 5) waits in the files. A line that is read again after a kill has the same id again.
"""

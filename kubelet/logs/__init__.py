"""Reading the CRI logs that the shims write (shim/logs.py)."""

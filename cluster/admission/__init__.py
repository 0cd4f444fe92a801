"""Admission: what the cluster adds to, and refuses of, a write. The order is in `cluster.admission.chain`."""

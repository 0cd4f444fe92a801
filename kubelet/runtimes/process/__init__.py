"""Pods as processes of this machine, in namespaces and control groups of their own where we may."""

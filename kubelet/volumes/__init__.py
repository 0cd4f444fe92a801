"""Volumes of pods: one kind a file, each a `Volume` (base.py); manager.py sets them up and keeps them fresh."""

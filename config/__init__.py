"""Wiring: settings, the processes of an installation, and the commands that start and stop it."""

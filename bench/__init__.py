"""Figures of this project, one script each; every script prints JSON. `python -m bench` runs them all."""

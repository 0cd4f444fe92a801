"""Searching, the same over both stores: `search.backend` is the interface, `search.scope` what one may see."""

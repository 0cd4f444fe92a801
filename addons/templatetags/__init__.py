"""Filters of the admin pages."""

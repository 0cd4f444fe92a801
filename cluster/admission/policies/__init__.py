"""Admission policies: rules in the Common Expression Language that an administrator writes, and who is bound by them."""

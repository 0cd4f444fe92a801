"""Authentication: client certificates, static tokens, service account tokens, bootstrap tokens, impersonation."""

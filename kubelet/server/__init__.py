"""The HTTPS server of the node agent: logs, commands and ports of containers, health, metrics."""

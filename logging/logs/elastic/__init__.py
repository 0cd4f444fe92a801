"""Elasticsearch 8 as the store of logs: template and daily indices, bulk writing, retention."""

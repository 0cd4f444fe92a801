"""The index template: every field is named here, so that no document can add one."""

from __future__ import annotations

from typing import Any

PREFIX = "logs-"
NAME = "binnacle-logs"

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
# One field whatever the labels are called: `app` beside `app.kubernetes.io/name` is no conflict, and none explode.
_FLATTENED = {"type": "flattened", "ignore_above": 1024}

# Each number of a label or JSON field as `logs.pairs.number` writes it: a range of numbers is a range of these texts,
# whatever the fields are called. In columns only: a search walks them beside what else it asks for, and stops when it has
# its lines.
NUMBERS = "numbers"
_NUMBERS = {"type": "keyword", "index": False}

# The type is in a module of its own (mapper-extras), which a server put together from published jars has not. There it is
# text without norms: the same searches, with the positions of words in the index instead of in the lines alone.
MESSAGE = {"type": "match_only_text"}
PLAIN_MESSAGE = {"type": "text", "norms": False}

_KUBERNETES = {
    **dict.fromkeys(("namespace", "pod", "pod_uid", "container", "container_id", "node"), _KEYWORD),
    "labels": _FLATTENED,
    "annotations": _FLATTENED,
    "workload": {"properties": {"kind": _KEYWORD, "name": _KEYWORD}},
}


def template(
    refresh: str = "30s", shards: int = 1, replicas: int = 0, message: dict[str, Any] = MESSAGE
) -> dict[str, Any]:
    """The body of `PUT /_index_template/binnacle-logs`. `refresh` is how long a line may stay unseen by searches."""
    return {
        "index_patterns": [PREFIX + "*"],
        # Above the templates that Elasticsearch brings for `logs-*-*`.
        "priority": 500,
        "template": {
            # Not `best_compression`: 18 % less of the disk, and four times as long for the newest 200 lines of a search.
            "settings": {
                "number_of_shards": shards,
                "number_of_replicas": replicas,
                "refresh_interval": refresh,
                "sort.field": "@timestamp",
                "sort.order": "desc",
            },
            "mappings": {
                "dynamic": False,
                "properties": {
                    "@timestamp": {"type": "date_nanos"},
                    "message": message,
                    "stream": _KEYWORD,
                    "level": _KEYWORD,
                    "source": _KEYWORD,
                    "kubernetes": {"properties": _KUBERNETES},
                    "fields": _FLATTENED,
                    NUMBERS: _NUMBERS,
                },
            },
        },
    }

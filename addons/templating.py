"""Manifests with `${name}` in them: each value fills the scalar it stands in, and never becomes structure.

A manifest is read with a plain word in place of each `${name}`; the values are put in afterwards. What stands without
quotes gets its type from the value (`replicas: ${replicas}` is a number), a JSON option that stands alone becomes the
list or object it is. `$$` is a dollar sign.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterator, Mapping, Set
from typing import Any

import yaml

_MARK = "xBINNACLEx{}x"
_MARKED = re.compile(r"xBINNACLEx(\d+)x")


class TemplateError(ValueError):
    """A manifest that cannot be used; the message says why."""


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """A YAML document. Raises TemplateError."""
    try:
        return yaml.load(text, Loader=_loader())
    except yaml.YAMLError as error:
        raise TemplateError(f"not YAML: {error}") from error


def objects(document: str, values: Mapping[str, str], structured: Set[str] = frozenset()) -> Iterator[dict[str, Any]]:
    """The objects of a manifest with `values` in it; `structured` names those that are JSON. Raises TemplateError."""
    names = sorted(values)
    try:
        text = string.Template(document).substitute({name: _MARK.format(i) for i, name in enumerate(names)})
    except KeyError as error:
        raise TemplateError(f"the manifest uses ${{{error.args[0]}}}, which is neither an option nor a fact") from error
    except ValueError as error:
        raise TemplateError(f"the manifest has a lone $: write $$ ({error})") from error
    loader = _loader()(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            _fill(
                node,
                [values[name] for name in names],
                {i for i, name in enumerate(names) if name in structured},
                loader,
            )
            obj = loader.construct_document(node)
            if obj:
                yield obj
    except yaml.YAMLError as error:
        raise TemplateError(f"the manifest is not YAML: {error}") from error
    finally:
        loader.dispose()


def _fill(node: yaml.Node, values: list[str], structured: Set[int], loader: Any) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, child in enumerate(node.value):
            node.value[number] = _filled(child, values, structured, loader)
    elif isinstance(node, yaml.MappingNode):
        node.value = [
            (_filled(key, values, frozenset(), loader), _filled(child, values, structured, loader))
            for key, child in node.value
        ]


def _filled(node: yaml.Node, values: list[str], structured: Set[int], loader: Any) -> yaml.Node:
    if not isinstance(node, yaml.ScalarNode):
        _fill(node, values, structured, loader)
        return node
    if not _MARKED.search(node.value):
        return node
    whole, plain = _MARKED.fullmatch(node.value), not node.style
    if whole and plain and int(whole[1]) in structured:
        filled: yaml.Node = _loader()(json.dumps(json.loads(values[int(whole[1])] or "null"))).get_single_node()
        return filled
    text = _MARKED.sub(lambda match: values[int(match[1])], node.value)
    # Only what has no quotes may be a number: the tag of a quoted scalar stays a string's.
    tag = loader.resolve(yaml.ScalarNode, text, (True, False)) if plain else node.tag
    return yaml.ScalarNode(tag, text, node.start_mark, node.end_mark, style=node.style)

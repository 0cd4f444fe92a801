"""The Common Expression Language: compile an expression, run it over variables.

The language is that of the `common-expression-language` package (Rust). Only its extension module is loaded, 45 ms and
5 MB when the first rule is met: the package's own import drags a command line program in.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import util
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kube.cel import functions as celfunctions

_lock = threading.Lock()
_module: Any = None


def engine() -> Any:
    """The extension module of the CEL package."""
    global _module
    with _lock:
        if _module is None:
            package = util.find_spec("cel")
            places = package.submodule_search_locations if package else None
            path = next(Path(places[0]).glob("cel.*.so"), None) if places else None
            spec = util.spec_from_file_location("cel.cel", path) if path else None
            if spec is None or spec.loader is None:
                raise RuntimeError(
                    "rules in CEL need the package common-expression-language: run `pip install -r requirements.txt`"
                )
            module = util.module_from_spec(spec)
            spec.loader.exec_module(module)
            _module = module
    return _module


@lru_cache(maxsize=2048)
def program(expression: str) -> Any:
    """A compiled expression. Raises ValueError where it is none."""
    return engine().compile(expression)


def run(
    expression: str, variables: dict[str, Any], more: Mapping[str, Callable[..., Any]] = MappingProxyType({})
) -> Any:
    """The value of an expression, which may use `more` functions; raises what the engine raises."""
    context = engine().Context()
    for name, function in {**celfunctions.FUNCTIONS, **more}.items():
        context.add_function(name, function)
    for name, value in variables.items():
        context.add_variable(name, value)
    return program(expression).execute(context)


def reason(error: Exception) -> str:
    """What the engine raised, in the words of Kubernetes."""
    if isinstance(error, KeyError):
        return f"no such key: {error.args[0]}"
    if isinstance(error, ZeroDivisionError):
        return "division by zero"
    text = str(error)
    return "no such overload" if text.startswith("No such overload") else text

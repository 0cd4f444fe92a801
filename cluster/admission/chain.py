"""The admission chain: which plugins there are, in which order, and why in that order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from cluster.admission.default_toleration_seconds import DefaultTolerationSeconds
from cluster.admission.namespace_lifecycle import NamespaceLifecycle
from cluster.admission.plugin import Plugin
from cluster.admission.priority import Priority
from cluster.admission.request import Request
from cluster.admission.taint_nodes import TaintNodes

# (plugin, on by default, why it stands where it stands)
ORDER: Sequence[tuple[type[Plugin], bool, str]] = (
    (NamespaceLifecycle, True, "first: nothing else matters in a namespace that is not there or is going away"),
    (TaintNodes, True, "a new node is tainted not-ready before the scheduler can see it"),
    (Priority, True, "resolves the class to a number before quota scopes ask for it"),
    (DefaultTolerationSeconds, True, "after everything that may bring tolerations of its own"),
)

Step = Callable[[Request], None]


class Chain:
    """An ordered set of plugins; which of them see a write is worked out once per kind of write."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self._plugins = tuple(plugins)
        self._steps: dict[tuple[str, str, str], tuple[tuple[Step, ...], tuple[Step, ...]]] = {}

    def mutate(self, request: Request) -> None:
        """Let every plugin change the object; raises ApiError when one refuses."""
        for step in self._of(request)[0]:
            step(request)

    def validate(self, request: Request) -> None:
        """Ask every plugin; raises ApiError when one refuses."""
        for step in self._of(request)[1]:
            step(request)

    def _of(self, request: Request) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        what = (request.operation, request.kind.storage, request.subresource)
        found = self._steps.get(what)
        if found is None:
            plugins = [plugin for plugin in self._plugins if plugin.handles(*what)]
            found = (tuple(p.mutate for p in plugins if type(p).mutate is not Plugin.mutate),
                     tuple(p.validate for p in plugins if type(p).validate is not Plugin.validate))
            if len(self._steps) < 10_000:
                self._steps[what] = found
        return found


@lru_cache(maxsize=8)
def default_chain(enabled: tuple[str, ...] = (), disabled: tuple[str, ...] = ()) -> Chain:
    """The plugins that are on by default, those named in `enabled`, without those in `disabled`."""
    known = {plugin.__name__ for plugin, _, _ in ORDER}
    unknown = [name for name in (*enabled, *disabled) if name not in known]
    if unknown:
        raise ValueError(f"no admission plugin is called {unknown[0]!r}; there are: {', '.join(sorted(known))}")
    return Chain([plugin() for plugin, on, _ in ORDER
                  if (on or plugin.__name__ in enabled) and plugin.__name__ not in disabled])

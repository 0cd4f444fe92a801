"""The cost of an expression before it runs: at most how many steps, with the largest values that the schema allows.

The unit is that of Kubernetes: about 50 ns. What has no bound costs `UNBOUNDED`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kube.cel.declarations import Declaration

UNBOUNDED = 2**64 - 1
CHECK_RIGHTS = 350_000
_PER_CHARACTER, _PER_PATTERN_CHARACTER = 0.1, 0.25
_LIST, _MAP, _MESSAGE = 10, 30, 40  # what it costs to make one
_LONGEST_FORMAT = 128  # characters of the longest pattern behind a named format
_ADDRESS = 16  # bytes
_SCALARS = frozenset((1, 2, 3, 4))  # of the primitive types all but strings (5) and bytes (6)
_TEXTS = frozenset((5, 6))
_EQUALITY = frozenset(("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"))


def _of_size(size: int, factor: float = _PER_CHARACTER) -> int:
    return UNBOUNDED if size >= UNBOUNDED else min(math.ceil(size * factor), UNBOUNDED)


def _bounded(number: int) -> int:
    return min(number, UNBOUNDED)


class _Path(NamedTuple):
    """How a value is reached. `declared`: its declaration, None if it is not in the schema.

    `sized`: the declaration that bounds its size. Kubernetes takes a path that begins nowhere for one from `self`.
    """

    declared: Declaration | None
    sized: Declaration | None


class _Local(NamedTuple):
    """A variable of a loop: its path, its size if it is known, and that of its items."""

    path: _Path | None
    size: int | None = None
    items: int | None = None


class Estimate:
    """What is known of one checked expression: `most` is its cost, `declared` the declarations of its parts by id.

    `roots` declares the variables whose sizes are known.
    """

    def __init__(self, checked: Any, roots: Mapping[str, Declaration]) -> None:
        self.types = {entry.key: entry.value for entry in checked.type_map}
        self.declared: dict[int, Declaration] = {}
        self._sizes: dict[int, int] = {}
        self._items: dict[int, int] = {}  # of lists and maps that are made, the size of the largest item
        self._locals: dict[str, list[_Local]] = {}
        self._paths: dict[int, _Path] = {}
        self._roots, self._root = roots, roots.get("self")
        self.most = self._cost(checked.expr)

    def _cost(self, e: Any) -> int:
        kind = next((name for name in _KINDS if e.HasField(name)), None)
        return _bounded(_KINDS[kind](self, e)) if kind else 0

    def _ident(self, e: Any) -> int:
        name = e.ident_expr.name
        scope, declared = self._locals.get(name), self._roots.get(name)
        self._reach(e, scope[-1].path if scope else _Path(declared, declared or self._root))
        return 1

    def _select(self, e: Any) -> int:
        operand = e.select_expr.operand
        cost = self._cost(operand) + 1
        if not e.select_expr.test_only:
            self._reach(e, self._below(operand, e.select_expr.field))
        return cost

    def _reach(self, e: Any, path: _Path | None) -> None:
        if path is not None:
            self._paths[e.id] = path
            if path.declared is not None:
                self.declared[e.id] = path.declared

    def _below(self, e: Any, step: str) -> _Path:
        above = self._paths.get(e.id)
        if above is None:
            return _Path(None, self._root)
        return _Path(
            above.declared.below(step) if above.declared else None, above.sized.below(step) if above.sized else None
        )

    def _list(self, e: Any) -> int:
        elements = e.list_expr.elements
        cost = _LIST + sum(self._cost(element) for element in elements)
        self._items[e.id] = max((self._size(element) for element in elements), default=0)
        return cost

    def _struct(self, e: Any) -> int:
        made = e.struct_expr
        cost = _MESSAGE if made.message_name else _MAP
        for entry in made.entries:
            cost += self._cost(entry.value) + (self._cost(entry.map_key) if entry.HasField("map_key") else 0)
        self._items[e.id] = max((self._size(entry.value) for entry in made.entries), default=0)
        return cost

    def _comprehension(self, e: Any) -> int:
        loop = e.comprehension_expr
        cost = self._cost(loop.iter_range) + self._cost(loop.accu_init)
        over = loop.iter_range
        items, kind = self._items.get(over.id), self.types.get(over.id)
        is_map = kind is not None and kind.HasField("map_type")
        key = _Local(self._below(over, "@keys"), items if is_map else 1)
        item = _Local(self._below(over, "@items"), items)
        self._push(loop.accu_var, _Local(None, self._known_size(loop.accu_init), self._items.get(loop.accu_init.id)))
        self._push(loop.iter_var, key if is_map or loop.iter_var2 else item)
        if loop.iter_var2:
            self._push(loop.iter_var2, item)
        each = self._cost(loop.loop_condition) + self._cost(loop.loop_step)
        for name in filter(None, (loop.iter_var, loop.iter_var2)):
            self._locals[name].pop()
        cost += self._cost(loop.result)
        self._locals[loop.accu_var].pop()
        times = self._size(loop.iter_range)
        if loop.accu_init.HasField("const_expr"):
            self._sizes[e.id] = self._size(loop.accu_init)
        else:
            self._sizes[e.id] = times
            if loop.loop_step.id in self._items:
                self._items[e.id] = self._items[loop.loop_step.id]
        return cost + times * each

    def _push(self, name: str, known: _Local) -> None:
        self._locals.setdefault(name, []).append(known)

    def _call(self, e: Any) -> int:
        call = e.call_expr
        target = call.target if call.HasField("target") else None
        costs = [self._cost(arg) for arg in call.args]
        called = self._cost(target) if target is not None else 0
        if call.function == "_?_:_":
            self._sizes[e.id] = max(self._size(call.args[1]), self._size(call.args[2]))
            return costs[0] + max(costs[1:])
        if call.function == "_[_]":
            self._index(e, call.args[0])
        cost = _FUNCTIONS.get(call.function, Estimate._simple)(self, e, target, list(call.args))
        return cost + called + sum(costs)

    def _index(self, e: Any, container: Any) -> None:
        self._reach(e, self._below(container, "@items"))
        if container.id in self._items:
            self._sizes[e.id] = self._items[container.id]

    # Sizes: what `size()` says of a value, at most.

    def _size(self, e: Any) -> int:
        found = self._known_size(e)
        return UNBOUNDED if found is None else found

    def _known_size(self, e: Any) -> int | None:
        if e.id in self._sizes:
            return self._sizes[e.id]
        if e.HasField("const_expr"):
            constant = e.const_expr
            text = constant.HasField("string_value") or constant.HasField("bytes_value")
            return len(constant.string_value) + len(constant.bytes_value) if text else 1
        if e.HasField("list_expr"):
            return len(e.list_expr.elements)
        if e.HasField("struct_expr") and not e.struct_expr.message_name:
            return len(e.struct_expr.entries)
        path = self._paths.get(e.id)
        if path is not None and path.sized is not None:
            return path.sized.most
        if _is_scalar(self.types.get(e.id)):
            return 1
        scope = self._locals.get(e.ident_expr.name) if e.HasField("ident_expr") else None
        return scope[-1].size if scope else None

    # What calls cost, beside their operands.

    def _simple(self, e: Any, target: Any, args: list[Any]) -> int:
        return 1

    def _free(self, e: Any, target: Any, args: list[Any]) -> int:
        return 0

    def _rights(self, e: Any, target: Any, args: list[Any]) -> int:
        return CHECK_RIGHTS

    def _traverse_list(self, e: Any, target: Any, args: list[Any]) -> int:
        if target is None:
            return 1
        kind = self.types.get(target.id)
        if kind is None or not kind.HasField("list_type"):
            return _of_size(self._size(target))
        each = 1
        if kind.list_type.elem_type.primitive in _TEXTS:
            each += _of_size(self._item_size(target))
        return self._size(target) * each

    def _item_size(self, e: Any) -> int:
        path = self._paths.get(e.id)
        item = path.sized.below("@items") if path is not None and path.sized is not None else None
        return item.most if item else UNBOUNDED

    def _url(self, e: Any, target: Any, args: list[Any]) -> int:
        return _of_size(self._size(args[0]))

    def _same_length(self, e: Any, target: Any, args: list[Any]) -> int:
        self._sizes[e.id] = self._size(target)
        return _of_size(self._size(target))

    def _replace(self, e: Any, target: Any, args: list[Any]) -> int:
        size, new = self._size(target), self._size(args[1])
        old = len(args[0].const_expr.string_value) if args[0].HasField("const_expr") else 0
        if old == 0:
            self._sizes[e.id] = _bounded((size + 1) * new + size)
        else:
            self._sizes[e.id] = size if new <= old else _bounded(math.ceil(size / old) * new)
        return _of_size(size, 2 * _PER_CHARACTER)

    def _split(self, e: Any, target: Any, args: list[Any]) -> int:
        limit = args[1].const_expr.int64_value if len(args) > 1 and args[1].HasField("const_expr") else -1
        self._sizes[e.id] = self._size(target) if limit < 0 else limit
        return _of_size(self._size(target), 2 * _PER_CHARACTER)

    def _join(self, e: Any, target: Any, args: list[Any]) -> int:
        count = self._size(target)
        size = count * self._item_size(target)
        size += self._size(args[0]) * max(count - 1, 0) if args else 0
        self._sizes[e.id] = _bounded(size)
        return _of_size(_bounded(size))

    def _pattern(self, e: Any, target: Any, args: list[Any]) -> int:
        text, pattern = (target, args[0]) if target is not None else (args[0], args[1])
        if e.call_expr.function != "matches":
            self._sizes[e.id] = self._size(text)
        each = _of_size(self._size(pattern), _PER_PATTERN_CHARACTER)
        return _of_size(_bounded(self._size(text) + 1)) * each

    def _format_check(self, e: Any, target: Any, args: list[Any]) -> int:
        return _of_size(_bounded(self._size(args[0]) + 1)) * _of_size(_LONGEST_FORMAT, _PER_PATTERN_CHARACTER)

    def _contains(self, e: Any, target: Any, args: list[Any]) -> int:
        return _of_size(self._size(target)) * _of_size(self._size(args[0]))

    def _contains_address(self, e: Any, target: Any, args: list[Any]) -> int:
        kind = self.types.get(args[0].id)
        text = kind is not None and kind.primitive in _TEXTS
        more = _of_size(_ADDRESS) + 1 if e.call_expr.function == "containsCIDR" else 0
        return _of_size(2 * _ADDRESS) + more + (_of_size(self._size(args[0])) if text else 0)

    def _edge(self, e: Any, target: Any, args: list[Any]) -> int:
        return _of_size(self._size(args[0]))

    def _in(self, e: Any, target: Any, args: list[Any]) -> int:
        kind = self.types.get(args[1].id)
        return 1 if kind is not None and kind.HasField("map_type") else self._size(args[1])

    def _compare(self, e: Any, target: Any, args: list[Any]) -> int:
        kind = self.types.get(args[0].id)
        if (
            kind is not None
            and kind.message_type.startswith(("kubernetes.", "net."))
            and args[0].id not in self.declared
        ):
            return 1  # quantities, addresses and the like
        return _of_size(min(self._size(args[0]), self._size(args[1])))

    def _add(self, e: Any, target: Any, args: list[Any]) -> int:
        kind = self.types.get(e.id)
        if _is_scalar(kind):
            return 1
        self._sizes[e.id] = size = _bounded(self._size(args[0]) + self._size(args[1]))
        if args[0].id in self._items and args[1].id in self._items:
            self._items[e.id] = max(self._items[args[0].id], self._items[args[1].id])
        return 1 if kind is not None and kind.HasField("list_type") else _of_size(size)

    def _convert(self, e: Any, target: Any, args: list[Any]) -> int:
        from_kind = self.types.get(args[0].id)
        if from_kind is None or from_kind.primitive not in _TEXTS:
            return 1
        size = self._size(args[0])
        if from_kind.primitive == 5 and e.call_expr.function == "string":
            return 1
        self._sizes[e.id] = _bounded(size * 4) if e.call_expr.function == "bytes" else size
        return _of_size(size)

    def _dyn(self, e: Any, target: Any, args: list[Any]) -> int:
        found = self._known_size(args[0])
        if found is not None:
            self._sizes[e.id] = found
        return 1

    def _printf(self, e: Any, target: Any, args: list[Any]) -> int:
        return _of_size(self._size(target))

    def _sets(self, e: Any, target: Any, args: list[Any]) -> int:
        factor = 2 if e.call_expr.function == "sets.equivalent" else 1
        return factor * self._size(args[0]) * self._size(args[1]) + 1

    def _through(self, e: Any, target: Any, args: list[Any]) -> int:
        """A list of as many items as there were."""
        self._sizes[e.id] = self._size(target)
        return 1 + self._size(target)

    def _distinct(self, e: Any, target: Any, args: list[Any]) -> int:
        size = self._sizes[e.id] = self._size(target)
        return 1 + size * size

    def _range(self, e: Any, target: Any, args: list[Any]) -> int:
        constant = args[0].const_expr if args[0].HasField("const_expr") else None
        self._sizes[e.id] = constant.int64_value if constant is not None else UNBOUNDED
        return 1 + self._sizes[e.id]


def _is_scalar(kind: Any) -> bool:
    return kind is not None and (kind.primitive in _SCALARS or kind.well_known in (2, 3))


Cost = Callable[[Estimate, Any, Any, list[Any]], int]
_KINDS: dict[str, Callable[[Estimate, Any], int]] = {
    "const_expr": lambda estimate, e: 0,
    "ident_expr": Estimate._ident,
    "select_expr": Estimate._select,
    "call_expr": Estimate._call,
    "list_expr": Estimate._list,
    "struct_expr": Estimate._struct,
    "comprehension_expr": Estimate._comprehension,
}
_FUNCTIONS: dict[str, Cost] = {
    "check": Estimate._rights,
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), Estimate._traverse_list),
    "url": Estimate._url,
    **dict.fromkeys(("lowerAscii", "upperAscii", "substring", "trim"), Estimate._same_length),
    "replace": Estimate._replace,
    "split": Estimate._split,
    "join": Estimate._join,
    **dict.fromkeys(("find", "findAll", "matches"), Estimate._pattern),
    "validate": Estimate._format_check,
    "contains": Estimate._contains,
    **dict.fromkeys(("containsIP", "containsCIDR"), Estimate._contains_address),
    **dict.fromkeys(("startsWith", "endsWith"), Estimate._edge),
    "@in": Estimate._in,
    **dict.fromkeys(_EQUALITY, Estimate._compare),
    "_+_": Estimate._add,
    **dict.fromkeys(("string", "bytes"), Estimate._convert),
    "dyn": Estimate._dyn,
    "format": Estimate._printf,
    **dict.fromkeys(("_&&_", "_||_"), Estimate._free),
    **dict.fromkeys(("sets.contains", "sets.intersects", "sets.equivalent"), Estimate._sets),
    **dict.fromkeys(("reverse", "slice", "sort", "@sortByAssociatedKeys", "flatten"), Estimate._through),
    "distinct": Estimate._distinct,
    "lists.range": Estimate._range,
}

"""The engine at work: one environment in which all expressions run, and one for each set of types to check them with."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from cel_expr_python import cel as native
from google.protobuf import message

from kube import cel, patterns
from kube.cel import functions, messages
from kube.cel.cost import Estimate
from kube.cel.declarations import PACKAGE, Declaration, Schema, field_kind

_EXTENSIONS = ("optional", "lists", "sets", "two-var-comprehensions")
_SAME, _MERGED, _SPEND, _INSERT = "@sameItems", "@merged", "@spend", "cel.@mapInsert"
_GROWN, _OPTIONAL_INDEX = "@grown", "_[?_]"
_OVERLOADS = {_OPTIONAL_INDEX: "list_optindex_optional_int", "!_": "logical_not"}
_MILLISECONDS, _WELL_KNOWN_DURATION = "@milliseconds", 3
_VARIABLES = "Variables"
# What the names of the types begin with that mutations make.
MADE = ("Object", "JSONPatch")
# All names that an expression may be given a value for.
_GIVEN = (
    *("self", "oldSelf", "object", "oldObject", "request", "params", "namespaceObject", "variables"),
    *("authorizer", "authorizer.requestResource", "device", "claims", "user"),
)
_STATUS = re.compile(r"^[A-Z_]+: |( \[[A-Z_]+\])$")
_STRUCT = re.compile(r" not found in struct '[^']*'")
_DURATION = re.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)").fullmatch
_CLAUSE = re.compile(r"%(%|(?:\.\d+)?(.?))", re.DOTALL)
_REASONS = (
    (re.compile(r'Key not found in map : "?(.*?)"?$'), r"no such key: \1"),
    (re.compile(r"divide by zero$"), "division by zero"),
    (re.compile(r"Index error: index=(-?\d+).*"), r"index out of bounds: \1"),
    (re.compile(r"Iteration budget exceeded"), cel.OVER),  # of the engine: 10,000 turns
    (re.compile(r"No matching overloads found.*|Applying SELECT to non-message type"), "no such overload"),
)


def _type(kind: str) -> Any:
    if kind.startswith(functions.OPTIONAL):
        return native.Type.AbstractType("optional_type", [_type(kind[len(functions.OPTIONAL) : -1])])
    return native.Type(kind)


def _kind_at_runtime(kind: str) -> str:
    """Overloads are told apart by this much when they are called."""
    if kind.startswith(("kubernetes.", "net.")):
        return functions.Q
    return re.sub(r"<.*", "<dyn>", kind) if kind.startswith("list<") else kind


class Engine:
    """See `kube.cel`; this is what needs the engine to be loaded."""

    def __init__(self) -> None:
        optional = (name for name, _, result, _ in functions.TABLE if result.startswith(functions.OPTIONAL))
        self._optional = {name.lstrip(".") for name in optional}
        self._declarations = native.CelExtension("kubernetes", list(_checked_functions()))
        self._run = native.NewEnv(
            descriptor_pool=messages.base(),
            config=_config(("bindings", *_EXTENSIONS)),
            variables=dict.fromkeys(_GIVEN, native.Type.DYN),
            extensions=[native.CelExtension("kubernetes", list(_run_functions()))],
        )

    def checker(
        self,
        variables: Mapping[str, str],
        schema: Schema | None,
        optional: frozenset[str],
        composed: Mapping[str, str] | None,
        extensions: tuple[str, ...],
        made: Mapping[str, tuple[str, ...]],
    ) -> Any:
        """An environment to check expressions in. `composed` are the types of what follows `variables.`.

        `made` are types that expressions may make objects of, with the names of their fields.
        """
        files = [schema.file] if schema else []
        if made:
            files.append(messages.new_file("made.proto"))
            for name, fields in made.items():
                holder = files[-1].message_type.add(name=name)
                for field in fields:
                    messages.add_field(holder, name, field, "google.protobuf.Value")
        kinds = dict(variables)
        if composed is not None:
            file = messages.new_file("variables.proto")
            file.package = f"{PACKAGE}.composed"
            file.dependency.extend(other.name for other in files)
            holder = file.message_type.add(name=_VARIABLES)
            for name, kind in composed.items():
                messages.add_field(holder, f"{file.package}.{_VARIABLES}", name, field_kind(kind))
            files.append(file)
            kinds["variables"] = f"{file.package}.{_VARIABLES}"
        return native.NewEnv(
            descriptor_pool=messages.pool(*files) if files else messages.base(),
            config=_config((*extensions, *_EXTENSIONS), {name: kinds.pop(name) for name in optional}),
            variables={name: _type(kind) for name, kind in kinds.items()},
            extensions=[self._declarations],
        )

    def compile(
        self, checker: Any, text: str, declared: Mapping[str, Declaration], optional: frozenset[str]
    ) -> tuple[Any, str, int, bool]:
        """What runs, the type of its value, its estimated cost, and whether its steps are counted."""
        try:
            expression = checker.compile(text)
            wrapped = messages.message_class("google.protobuf.Any").FromString(expression.serialize())
            checked = messages.message_class("cel.CheckedExpr").FromString(wrapped.value)
            estimate = Estimate(checked, declared)
            _check_literals(checked, estimate)
            counted = estimate.most > cel.MAX_COST
            Rewriting(checked, estimate, self._optional, optional, counted).all()
            wrapped.value = checked.SerializeToString()
            run = self._run.deserialize(wrapped.SerializeToString())
        except RuntimeError as error:
            raise cel.CompileError(_STRUCT.sub("", _STATUS.sub("", str(error)))) from None
        except (message.DecodeError, message.EncodeError, RecursionError):
            raise cel.CompileError("ERROR: <input>:-1:-1: expression is nested too deeply") from None
        return run, _notation(expression.return_type()), estimate.most, counted

    def evaluate(self, run: Any, variables: Mapping[str, Any]) -> Any:
        """Raises EvaluationError."""
        try:
            found = run.eval(data=variables)
            if found.type() == native.Type.ERROR:
                raise cel.EvaluationError(_reason(str(found.value())))
            return messages.given(found.plain_value())
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise cel.EvaluationError(_reason(str(error))) from error


def _config(extensions: tuple[str, ...], optional: Mapping[str, str] = MappingProxyType({})) -> Any:
    """`optional`: variables of an optional type, which can be declared here alone."""
    named = [{"name": name} for name in extensions]
    variables = [
        {"name": name, "type_name": "optional_type", "params": [_tree(kind)]} for name, kind in optional.items()
    ]
    # JSON is YAML.
    text = {"name": "kubernetes", "extensions": [{"name": "strings", "version": 2}, *named], "variables": variables}
    return native.NewEnvConfigFromYaml(json.dumps(text))


def _tree(kind: str) -> dict[str, Any]:
    """A type as a configuration writes it."""
    name, _, inner = kind.partition("<")
    params = inner[:-1].split(", ", 1 if name == "map" else 0) if inner else []
    return {"type_name": name, "params": [_tree(param) for param in params]}


def _checked_functions() -> Iterator[Any]:
    """Every overload, without what it does."""
    by_name = itertools.groupby(sorted(functions.TABLE, key=lambda row: row[0]), key=lambda row: row[0])
    for name, rows in by_name:
        overloads = [
            native.Overload(_overload(name, kinds), _type(result), [_type(kind) for kind in kinds], name[0] == ".")
            for _, kinds, result, _ in rows
        ]
        yield native.FunctionDecl(name.lstrip("."), overloads)


def _overload(name: str, kinds: tuple[str, ...]) -> str:
    return re.sub(r"\W+", "_", "_".join(("k8s", name, *kinds)))


def _run_functions() -> Iterator[Any]:
    """One overload for each that can be told from the others when it is called."""
    shapes: dict[tuple[str, tuple[str, ...]], list[functions.Declaration]] = {}
    for row in functions.TABLE:
        shapes.setdefault((row[0], tuple(map(_kind_at_runtime, row[1]))), []).append(row)
    by_name: dict[tuple[str, bool], list[Any]] = {}
    for (name, kinds), rows in shapes.items():
        id, given = _overload(f"run{name}", kinds), [_type(kind) for kind in kinds]
        overload = native.Overload(id, native.Type.DYN, given, name[0] == ".", _chosen(rows))
        by_name.setdefault((name.lstrip("."), name[0] == "."), []).append(overload)
    for (name, _), overloads in by_name.items():
        yield native.FunctionDecl(name, overloads)
    lists = [native.Type.LIST, native.Type.LIST]
    for name, given, do in (
        (_SAME, lists, functions.same_items),
        (_MERGED, [*lists, native.Type.LIST], functions.merged),
        (_SPEND, [native.Type.INT], cel.spend),
        (_GROWN, [native.Type.DYN], cel.grown),
    ):
        yield native.FunctionDecl(name, [native.Overload(name, native.Type.DYN, given, False, do)])
    whole = native.Overload(
        _MILLISECONDS, native.Type.INT, [native.Type.DURATION], True, lambda span: span // timedelta(milliseconds=1)
    )
    yield native.FunctionDecl(_MILLISECONDS, [whole])
    keyed = [native.Type.MAP, native.Type.DYN, native.Type.DYN]
    yield native.FunctionDecl(
        _INSERT,
        [
            native.Overload("run_insert_one", native.Type.MAP, keyed, False, lambda to, key, item: {**to, key: item}),
            native.Overload("run_insert_all", native.Type.MAP, keyed[:1] * 2, False, lambda to, more: {**to, **more}),
        ],
    )


def _chosen(rows: list[functions.Declaration]) -> Callable[..., Any]:
    """The implementation, of the overload whose messages those of the call are."""
    if len({id(row[3]) for row in rows}) == 1 or not any(
        kind.startswith(("kubernetes.", "net.")) for kind in rows[0][1]
    ):
        return rows[0][3]

    def call(*given: Any) -> Any:
        names = [type(item).DESCRIPTOR.full_name if hasattr(item, "DESCRIPTOR") else "" for item in given]
        for _, kinds, _, do in rows:
            if all(name in ("", kind) for name, kind in zip(names, kinds, strict=True)):
                return do(*given)
        raise ValueError("no such overload")

    return call


def _notation(kind: Any) -> str:
    """A type of the engine, in the notation in which types are given to it."""
    text = kind.name()
    return re.sub(r"[A-Z_]+(?=[<>,]|$| )", lambda found: _NAMES.get(found[0], found[0].lower()), text)


_NAMES = {"TIMESTAMP": "google.protobuf.Timestamp", "DURATION": "google.protobuf.Duration", "NULL": "null_type"}


def _reason(text: str) -> str:
    """What the engine says of a failure, in the words of Kubernetes."""
    text = _STATUS.sub("", text)
    for pattern, words in _REASONS:
        found = pattern.search(text)
        if found:
            return found.expand(words)
    return text


def parts(e: Any) -> Iterator[Any]:
    """An expression and all that it is made of."""
    yield e
    for field, found in e.ListFields():
        if field.name != "id":
            yield from _below(found)


def _below(found: Any) -> Iterator[Any]:
    for field, inner in found.ListFields():
        if field.message_type is None:
            continue
        for item in inner if field.is_repeated else (inner,):
            yield from parts(item) if field.message_type.name == "Expr" else _below(item)


def _check_literals(checked: Any, estimate: Estimate) -> None:
    """Constants that can only fail when they are used. Raises CompileError."""
    formatted: set[int] = set()
    for e in parts(checked.expr):
        call = e.call_expr if e.HasField("call_expr") else None
        if call is not None and call.function == "format" and call.args:
            formatted.add(call.args[0].id)
            _check_format(call)
        elif call is not None and call.args and call.args[-1].const_expr.HasField("string_value"):
            _check_constant(call.function, call.args[-1].const_expr.string_value)
        elif e.HasField("list_expr") and e.id not in formatted:
            kinds = [estimate.types.get(item.id) for item in e.list_expr.elements]
            _check_alike(kinds)
        elif e.HasField("struct_expr") and not e.struct_expr.message_name:
            _check_alike([estimate.types.get(entry.value.id) for entry in e.struct_expr.entries])


def _check_alike(kinds: list[Any]) -> None:
    plain = {kind.SerializeToString() for kind in kinds if kind is not None and (kind.primitive or kind.message_type)}
    if len(plain) > 1:
        raise cel.CompileError("ERROR: <input>:1:1: expected the items of a list or map to be of one type")


def _check_constant(function: str, text: str) -> None:
    wrong = False
    if function == "matches":
        try:
            patterns.compiled(text)
        except ValueError:
            wrong = True
    elif function == "duration":
        wrong = not _DURATION(text)
    elif function == "timestamp":
        wrong = not re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", text)
    if wrong:
        raise cel.CompileError(f"ERROR: <input>:1:1: invalid {function} argument")


def _check_format(call: Any) -> None:
    for found in _CLAUSE.finditer(call.target.const_expr.string_value):
        if found[1] != "%" and found[2] not in tuple("sdfexXobq"):
            what = f'could not parse formatting clause: unrecognized formatting clause "{found[2]}"'
            raise cel.CompileError(f"ERROR: <input>:1:1: {what}")


def _copied(e: Any) -> Any:
    found = type(e)()
    found.CopyFrom(e)
    return found


class Rewriting:
    """What checked expressions are made into before they run.

    Functions and variables that give an optional value give a list, of which the first item is optional; lists of type
    set or map are compared and added without their order; loops of an expression that may be expensive count.
    """

    def __init__(
        self, checked: Any, estimate: Estimate, functions: set[str], variables: frozenset[str], counted: bool
    ) -> None:
        self._checked, self._estimate, self._counted = checked, estimate, counted
        self._functions, self._variables = functions, variables
        self._references = {entry.key: entry.value for entry in checked.reference_map}
        self._next = max((e.id for e in parts(checked.expr)), default=0)

    def all(self) -> None:
        """Rewrite the expression in place."""
        for e in reversed(list(parts(self._checked.expr))):  # a part before the whole, which copies it
            if e.HasField("call_expr"):
                self._call(e)
            elif e.HasField("ident_expr") and e.ident_expr.name in self._variables:
                self._first(e)
            elif e.struct_expr.message_name.startswith(MADE):
                self._plain(e.struct_expr)
            elif e.HasField("comprehension_expr") and self._counted:
                self._count(e.comprehension_expr)

    def _refer(self, e: Any, overload: str) -> None:
        reference = self._checked.reference_map.add(key=e.id)
        reference.value.overload_id.append(overload)

    def _id(self) -> int:
        self._next += 1
        return self._next

    def _call(self, e: Any) -> None:
        call = e.call_expr
        if call.function in self._functions:
            self._first(e)
        elif call.function == "getMilliseconds" and self._is_duration(call.target):
            # All of a duration, not what is left of its last second.
            call.function = _MILLISECONDS
            self._point(e.id, _MILLISECONDS)
        elif call.function in ("_==_", "_!=_", "_+_"):
            known = [self._estimate.declared.get(arg.id) for arg in call.args]
            found = next((one for one in known if one is not None and one.unordered), None)
            if found is not None and all(self._is_list(arg) for arg in call.args):
                self._unordered(e, found)
            elif call.function == "_+_" and self._counted and self._grows(e):
                self._charge(e)

    def _grows(self, e: Any) -> bool:
        """Whether a sum may be a text or a list, which loops and variables could double again and again."""
        kind = self._estimate.types.get(e.id)
        return kind is not None and (kind.primitive in (5, 6) or kind.HasField("list_type") or kind.HasField("dyn"))

    def _charge(self, e: Any) -> None:
        """Of a chain of sums the whole is charged: nesting is bounded, here and when it is parsed."""
        for arg in e.call_expr.args:
            if arg.call_expr.function == _GROWN:
                arg.CopyFrom(_copied(arg.call_expr.args[0]))
        self._wrap(e, _GROWN)

    def _wrap(self, e: Any, function: str) -> None:
        inner = _copied(e)
        e.Clear()
        e.id = self._id()
        e.call_expr.function = function
        e.call_expr.args.append(inner)
        self._refer(e, _OVERLOADS.get(function, function))

    def _is_duration(self, e: Any) -> bool:
        kind = self._estimate.types.get(e.id)
        return kind is not None and kind.well_known == _WELL_KNOWN_DURATION

    def _is_list(self, e: Any) -> bool:
        kind = self._estimate.types.get(e.id)
        return kind is not None and kind.HasField("list_type")

    def _unordered(self, e: Any, declared: Declaration) -> None:
        call = e.call_expr
        if call.function == "_+_":
            keys = call.args.add(id=self._id())
            keys.list_expr.SetInParent()
            for key in declared.keys:
                keys.list_expr.elements.add(id=self._id()).const_expr.string_value = key
        negated = call.function == "_!=_"
        call.function = _MERGED if call.function == "_+_" else _SAME
        self._point(e.id, call.function)
        if negated:
            self._wrap(e, "!_")

    def _point(self, id: int, overload: str) -> None:
        reference = self._references[id]
        del reference.overload_id[:]
        reference.overload_id.append(overload)

    def _first(self, e: Any) -> None:
        self._wrap(e, _OPTIONAL_INDEX)
        e.call_expr.args.add(id=self._id()).const_expr.int64_value = 0

    def _plain(self, made: Any) -> None:
        """An object of a type of Kubernetes's own is a plain map."""
        made.message_name = ""
        for entry in made.entries:
            entry.map_key.id = self._id()
            entry.map_key.const_expr.string_value = entry.field_key
            entry.ClearField("field_key")

    def _count(self, loop: Any) -> None:
        condition = _copied(loop.loop_condition)
        steps = sum(1 for _ in parts(loop.loop_step))
        loop.loop_condition.Clear()
        both = loop.loop_condition
        both.id = self._id()
        both.call_expr.function = "_&&_"
        spent = both.call_expr.args.add(id=self._id())
        spent.call_expr.function = _SPEND
        spent.call_expr.args.add(id=self._id()).const_expr.int64_value = steps
        both.call_expr.args.append(condition)
        self._refer(both, "logical_and")
        self._refer(spent, _SPEND)

"""Expressions: checked against types, with a cost that is known before, and values that are Kubernetes's own."""

from __future__ import annotations

from typing import Any

import pytest

from kube import cel
from kube.cel import messages
from kube.cel.expressions import check_expression, compiled
from kube.objects import Json

TEXT: Json = {"type": "string", "maxLength": 20}
SCHEMA: Json = {
    "type": "object",
    "properties": {
        "a": TEXT,
        "set": {"type": "array", "maxItems": 9, "items": TEXT, "x-kubernetes-list-type": "set"},
        "list": {"type": "array", "items": {"type": "string"}},
        "a-b": {"type": "integer"},
        "n": {"type": "number"},
    },
}


def program(text: str, schema: Json = SCHEMA) -> cel.Program:
    types, declared_of = cel.of_schema(schema, False)
    found = declared_of(schema, False)
    assert found is not None
    names = ("self", "oldSelf")
    return cel.Environment(
        dict.fromkeys(names, found.kind), types, dict.fromkeys(names, found), frozenset({"oldSelf"})
    ).compile(text)


def value(text: str, **variables: Any) -> Any:
    return compiled(text, ("self",)).value({"self": variables})


@pytest.mark.parametrize(
    "text",
    [
        "quantity('1000m') == quantity('1') && quantity('2Gi').isGreaterThan(quantity('1Gi'))",
        "quantity('5').add(quantity('1')).sub(1).asInteger() == 5 && sign(quantity('-5')) == -1",
        "ip('10.0.0.1').family() == 4 && !isIP('010.0.0.1') && !isIP('fe80::1%eth0') && string(ip('::1')) == '::1'",
        "ip.isCanonical('2001:db8::1') && !ip.isCanonical('2001:DB8::1') && ip('169.254.1.1').isLinkLocalUnicast()",
        "cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16')) && cidr('10.0.0.0/8').containsIP('10.2.3.4')",
        "cidr('10.0.0.1/24').masked() == cidr('10.0.0.0/24') && cidr('10.0.0.1/24').prefixLength() == 24",
        "url('https://a.b:8/c?q=1').getHost() == 'a.b:8' && url('https://a.b:8/c?q=1').getQuery() == {'q': ['1']}",
        "semver('1.2.3-rc.1').isLessThan(semver('1.2.3')) && isSemver('v1.2', true) && !isSemver('1.2')",
        "!format.dns1123Label().validate('a').hasValue() && format.dns1123Label().validate('A_').hasValue()",
        "format.named('uri').hasValue() && !format.named('no').hasValue()",
        "duration('1.5s').getMilliseconds() == 1500 && timestamp('2026-01-01T00:00:00Z').getHours('Asia/Tokyo') == 9",
        "'a1b2'.findAll('[0-9]') == ['1', '2'] && 'a1b2'.find('[0-9]') == '1'",
        "[3, 1].min() == 1 && [1, 2].sum() == 3 && ['a', 'b'].isSorted() && [1, 2, 1].lastIndexOf(1) == 2",
        "sets.contains([1, 2], [1]) && [1, 1].distinct() == [1] && lists.range(2) == [0, 1]",
        "[duration('2s'), duration('1s')].min() == duration('1s') && [duration('1s')].sum() == duration('1s')",
        "[timestamp('2026-01-01T00:00:00Z')].max().getFullYear() == 2026",
        "{'a': 1}.transformMap(k, v, v + 1) == {'a': 2} && [1].existsOne(i, v, v == 1)",
    ],
)
def test_the_functions_of_kubernetes(text: str) -> None:
    assert value(text) is True


@pytest.mark.parametrize(
    "text",
    [
        *("self.a + 1 == 2", "self.zz == ''", "has(self.zz)", "nope(self.a)", "self.a", "self == {'a': ''}"),
        *("math.abs(1) == 1", "cel.bind(x, 1, x == 1)", "self.a.matches('[')", "duration('x') == duration('1s')"),
        "'%t'.format([1]) == ''",
    ],
)
def test_types_are_checked_against_the_schema(text: str) -> None:
    try:
        assert program(text).result != "bool"
    except cel.CompileError as error:
        assert str(error).startswith("ERROR: <input>:1:")


def test_values_are_those_of_the_schema() -> None:
    assert program("self.a__dash__b == 1 && self.n > 1.5").value({"self": {"a__dash__b": 1, "n": 2.0}}) is True
    with pytest.raises(cel.EvaluationError, match="no such key: a"):
        program("self.a == ''").value({"self": {}})


def test_lists_of_type_set_have_no_order() -> None:
    given = {"self": {"set": ["a", "b"]}}
    assert program("self.set == ['b', 'a'] && !(self.set != ['b', 'a'])").value(given) is True
    assert program("(self.set + ['a', 'c']).size() == 3").value(given) is True


def test_an_optional_variable() -> None:
    text = "oldSelf.?a.orValue('none') == 'none'"
    assert program(text).value({"self": {}, "oldSelf": []}) is True
    assert program(text).value({"self": {}, "oldSelf": [{"a": "x"}]}) is False


def test_cost_is_known_from_the_bounds_of_the_schema() -> None:
    assert program("self.set.all(x, self.set.all(y, x == y))").cost < 1000
    assert program("self.list.all(x, self.list.all(y, x == y))").cost > cel.MAX_ESTIMATE_OF_SCHEMA
    assert program("self.a.matches('^a')").cost == 5


def test_what_is_too_expensive_is_ended() -> None:
    text = "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, a + b + c + d >= 0))))"
    with pytest.raises(cel.EvaluationError, match="cost limit exceeded"):
        compiled(text, ("self",)).value({"self": {"l": list(range(1000))}})


def test_a_mutation_makes_plain_maps() -> None:
    text = "Object{metadata: Object.metadata{labels: {'a': 'b'}}, ?spec: optional.none()}"
    found = compiled(text, ("object",), mutation=True)
    assert (found.result, found.value({"object": {}})) == ("Object", {"metadata": {"labels": {"a": "b"}}})
    found = compiled("[JSONPatch{op: 'add', path: '/' + jsonpatch.escapeKey('a/b'), value: 1}]", (), mutation=True)
    assert found.result == "list<JSONPatch>" and found.value({}) == [{"op": "add", "path": "/a~1b", "value": 1}]


def test_what_is_said_of_a_wrong_type() -> None:
    (error,) = check_expression("x", "1", ("object",), result="bool")
    assert "must evaluate to bool but got int" in error.message


def test_texts_that_double_are_ended() -> None:
    text = " + ".join(["self.a"] * 30)
    assert len(compiled(text, ("self",)).value({"self": {"a": "x" * 1000}})) == 30_000
    with pytest.raises(cel.EvaluationError, match="cost limit exceeded"):
        compiled(text, ("self",)).value({"self": {"a": "x" * 1_000_000}})
    text = "self.t + duration('1s') > self.t && self.n + 1 == 2 && self.l + [1] == [1, 1]"
    given = {"t": messages.timestamp("2026-01-01"), "n": 1, "l": [1]}
    assert compiled(text, ("self",)).value({"self": given}) is True


def test_selectors_of_devices() -> None:
    capacity = "device.capacity['d'].m.compareTo(quantity('1')) >= 0"
    text = f"device.driver == 'd' && device.attributes['d'].model == 'x' && {capacity}"
    assert check_expression("x", text, ("device",), result="bool") == []
    assert check_expression("x", "device.none == 1", ("device",), result="bool")
    assert check_expression("x", "cel.bind(a, device.driver, a == 'd')", ("device",), result="bool") == []


@pytest.mark.parametrize(
    "text",
    [
        *("(" * 40 + "1" + ")" * 40, " + ".join(["self.a"] * 60), "[" * 31 + "]" * 31, "self" + "[0]" * 31),
        *("self" + ".all(x, x" * 30 + ")" * 30, f"'{'a' * 200_000}' == self", "\x00", "self.?a" * 40),
    ],
)
def test_odd_expressions_compile_or_are_refused(text: str) -> None:
    try:
        compiled(text, ("self",))
    except cel.CompileError:
        pass

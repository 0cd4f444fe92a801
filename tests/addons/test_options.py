"""Options: what each type takes, what it says of the rest; and manifests that values cannot break out of."""

from __future__ import annotations

import pytest

from addons import options, templating
from addons.options import Option, OptionError


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        (Option("a", "x", "h"), {"x": "x", " y ": "y"}, {"a\nb": "line break"}),
        (
            Option("a", "", "h", pattern="[a-z]+", pattern_help="small letters"),
            {"": "", "ab": "ab"},
            {"A": "small letters"},
        ),
        (
            Option("a", "1", "h", "integer", min=0, max=9),
            {"+7": "7", "007": "7"},
            {"10": "from 0 to 9", "1.5": "whole number", "": "whole number", "٣": "whole number"},
        ),
        (
            Option("a", "1", "h", "number", min=0.5),
            {"0.5": "0.5", "1e3": "1e3"},
            {"nan": "not a number", "0.1": "at least 0.5"},
        ),
        (Option("a", "true", "h", "boolean"), {"True": "true", "false": "false"}, {"1": "neither true nor false"}),
        (Option("a", "x", "h", "choice", {"x": "", "y": ""}), {"y": "y"}, {"z": "one of x, y"}),
        (
            Option("a", "1m", "h", "duration", min=30, max=3600),
            {"60m": "60m"},
            {"1d": "30 s to 3600 s", "5": "not a duration"},
        ),
        (Option("a", "1Gi", "h", "size", min=1 << 24), {"16Mi": "16Mi"}, {"1Mi": "at least 16Mi", "big": "512Mi"}),
        (
            Option("a", "", "h", "url"),
            {"": "", "http://a:9090/x": "http://a:9090/x"},
            {"ftp://a": "http://", "http://a:x": "http://", "http://": "http://"},
        ),
        (Option("a", "[]", "h", "json"), {'{"b" : [1]}': '{"b": [1]}'}, {"{": "not JSON", "[" * 9000: "not JSON"}),
        (
            Option("a", "[]", "h", "addresses"),
            {'["10.0.0.2","[::1]:53"]': '["10.0.0.2", "[::1]:53"]', '["::1"]': '["::1"]'},
            {
                '["a"]': "no address",
                '["10.0.0.2:99999"]': "no address",
                "{}": "not a list",
                "": "not JSON",
                "[1]": "no address",
            },
        ),
        (
            Option("a", "{}", "h", "domains"),
            {'{"corp.example": ["10.1.0.2"]}': '{"corp.example": ["10.1.0.2"]}'},
            {'{"a b": []}': "no domain", '{"a": "10.1.0.2"}': "not a list", "[]": "not an object"},
        ),
    ],
    ids=lambda found: found.type + found.pattern if isinstance(found, Option) else "",
)
def test_each_type_takes_what_it_should(option: Option, good: dict[str, str], bad: dict[str, str]) -> None:
    assert {text: option.check(text) for text in good} == good
    for text, words in bad.items():
        with pytest.raises(OptionError) as error:
            option.check(text)
        assert words in str(error.value) and str(error.value).startswith("a: "), str(error.value)


def test_a_value_has_an_end() -> None:
    with pytest.raises(OptionError, match="has 20000 characters; it has to be at most 16384"):
        Option("a", "", "h").check("x" * 20_000)


def test_an_option_may_be_needed_when_another_says_so() -> None:
    both = [
        Option("engine", "own", "h", "choice", {"own": "", "prometheus": ""}),
        Option("url", "", "h", "url", required_when={"engine": "prometheus"}),
    ]
    assert options.check(both, {}) == ({"engine": "own", "url": ""}, {})
    _, problems = options.check(both, {"engine": "prometheus"})
    assert problems == {"url": "url: is empty, but engine is prometheus; set url, or change engine."}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"default": 1, "help": "h", "type": "whole"}, "type is 'whole'; it may be one of"),
        ({"default": "z", "help": "h", "choices": ["x"]}, "one of x"),
        ({"default": 1, "help": "h", "mni": 3}, "no key 'mni'"),
        ("x", "needs default and help"),
    ],
)
def test_a_description_that_can_not_be_is_named(entry: object, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        options.read("size", entry)


def test_values_of_yaml_become_the_text_of_a_config_map() -> None:
    assert options.read("a", {"default": True, "help": "h", "type": "boolean"}).default == "true"
    assert options.read("a", {"default": 5, "help": "h"}).default == "5"
    assert options.read("a", {"default": [1], "help": "h", "type": "json"}).default == "[1]"


EVIL = 'x"\nkind: Secret\n---\n- {a: *b} # ${port} $$'


@pytest.mark.parametrize(
    "place",
    [
        "a: ${v}",
        'a: "${v}"',
        "a: '${v}'",
        "a: {b: ${v}, c: [x, ${v}]}",
        "a: |\n  ${v}\n  ${v}",
        "${v}: 1",
        "# ${v}\na: 1",
        "a: >-\n  ${v}",
    ],
)
def test_a_value_never_becomes_structure(place: str) -> None:
    [found] = templating.objects(place, {"v": EVIL})
    assert set(found) in ({"a"}, {EVIL}), found
    assert "Secret" not in found.values()


def test_what_has_no_quotes_gets_its_type() -> None:
    [found] = templating.objects(
        '{n: ${n}, s: "${n}", b: ${b}, l: ${l}, t: --p=${n}, d: "$$(IP)"}',
        {"n": "5", "b": "true", "l": '["x", {"y": 1}]'},
        {"l"},
    )
    assert found == {"n": 5, "s": "5", "b": True, "l": ["x", {"y": 1}], "t": "--p=5", "d": "$(IP)"}


@pytest.mark.parametrize(
    ("text", "words"), [("a: ${nothing}", "nothing"), ("a: $ x", r"write \$\$"), ("a: [", "not YAML")]
)
def test_a_manifest_that_can_not_be_says_why(text: str, words: str) -> None:
    with pytest.raises(templating.TemplateError, match=words):
        list(templating.objects(text, {}))

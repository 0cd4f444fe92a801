"""What is remembered of a webhook's conversions, and for how long."""

from __future__ import annotations

from kube.crd import conversion
from kube.crd.conversion import FRESH, Converter
from kube.objects import Json


def obj(name: str, version: str = "v1", size: int = 0) -> Json:
    return {"apiVersion": f"g/{version}", "kind": "K", "metadata": {"name": name}, "spec": {"text": "x" * size}}


class Webhook:
    """Converts by the name only; `asked` are the names in each question."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.now = 0.0
        self.converter = Converter(self.answer, lambda: self.now)

    def answer(self, objects: list[Json], api_version: str) -> list[Json]:
        self.asked.append([obj["metadata"]["name"] for obj in objects])
        return [{**obj, "apiVersion": api_version} for obj in objects]


def test_an_object_is_asked_for_once_in_a_while() -> None:
    webhook = Webhook()
    convert = webhook.converter.convert
    assert convert(obj("a"), "g/v2") == obj("a", "v2") == convert(obj("a"), "g/v2")
    assert convert(obj("a", "v2"), "g/v2") == obj("a", "v2")  # nothing to convert
    assert webhook.asked == [["a"]]
    convert(obj("a"), "g/v3")
    convert(obj("a", size=1), "g/v2")
    assert len(webhook.asked) == 3  # another version, another state of the object
    webhook.now = FRESH + 1
    convert(obj("a"), "g/v2")
    assert len(webhook.asked) == 4


def test_many_are_asked_for_together_in_their_order() -> None:
    webhook = Webhook()
    webhook.converter.convert(obj("3"), "g/v2")
    many = [obj(str(i)) for i in range(conversion.TOGETHER + 2)]
    assert webhook.converter.together(many, "g/v2") == [obj(str(i), "v2") for i in range(conversion.TOGETHER + 2)]
    assert [len(names) for names in webhook.asked] == [1, conversion.TOGETHER, 1]
    assert "3" not in webhook.asked[1]


def test_what_is_remembered_is_bounded() -> None:
    webhook = Webhook()
    size = conversion.KEPT // 4
    for name in "abcde":
        webhook.converter.convert(obj(name, size=size), "g/v2")
    webhook.converter.convert(obj("e", size=size), "g/v2")
    assert len(webhook.asked) == 5
    webhook.converter.convert(obj("a", size=size), "g/v2")
    assert len(webhook.asked) == 6

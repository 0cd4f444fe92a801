"""What is remembered by the bytes of a value: bounded, and never another value's."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cluster.admission.service_account import mount_token
from kube import memo, schema
from kube.memo import Memo, digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_digest_is_that_of_one_json_text(one: Any, other: Any) -> None:
    same = memo.orjson.dumps(one) == memo.orjson.dumps(other)
    assert (digest(one) == digest(other)) is same


def test_large_values_have_none() -> None:
    assert digest("x" * memo.LARGEST) is None


def test_it_begins_anew_when_it_is_full() -> None:
    known: Memo[int] = Memo(2)
    for number in range(5):
        known[number] = number
    assert dict(known) == {4: 4}


def test_a_spec_is_completed_however_often_it_comes() -> None:
    def made() -> dict[str, Any]:
        return {"metadata": {}, "spec": {"containers": [{"name": "a"}]}}

    first, second = (schema.fill("io.k8s.api.core.v1.Pod", made()) for _ in range(2))
    again = schema.fill("io.k8s.api.core.v1.Pod", schema.fill("io.k8s.api.core.v1.Pod", made()))
    assert first == second == again
    assert first["spec"]["containers"] == [{"name": "a", "resources": {}}]


def test_replicas_get_the_same_token_volume_and_other_pods_another() -> None:
    specs: list[dict[str, Any]] = [{"containers": [{"name": name}]} for name in ("a", "a", "b")]
    for spec in specs:
        mount_token(spec)
    names = [spec["volumes"][0]["name"] for spec in specs]
    assert names[0] == names[1] != names[2]
    assert all(name.startswith("kube-api-access-") and len(name) == 21 for name in names)

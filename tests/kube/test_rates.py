"""Token buckets."""

from __future__ import annotations

from kube.rates import Bucket, Buckets


def test_a_bucket_gives_what_it_holds_and_then_what_comes_in() -> None:
    bucket = Bucket(3, 0.5, at=100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(101.0) and bucket.take(102.0) and not bucket.take(102.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_the_key_that_was_not_asked_for_longest_is_forgotten() -> None:
    buckets = Buckets(1, 0.001, limit=2)
    assert buckets.take("a", 0.0) and buckets.take("b", 0.0)
    assert not buckets.take("a", 0.0)
    assert buckets.take("c", 0.0) and len(buckets) == 2
    assert not buckets.take("a", 0.0) and buckets.take("b", 0.0)

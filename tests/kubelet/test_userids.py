"""Ranges of ids for pods."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelet.runtimes.process import userids
from kubelet.runtimes.process.userids import COUNT, FIRST, LAST, IdRanges


def test_each_pod_has_a_range_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    made = IdRanges(tmp_path)
    firsts = {f"pod-{number}": made.take(f"pod-{number}") for number in range(500)}
    assert len(set(firsts.values())) == 500
    assert all(first % COUNT == 0 and FIRST * COUNT <= first <= LAST * COUNT for first in firsts.values())
    assert {pod: made.take(pod) for pod in firsts} == firsts
    after = IdRanges(tmp_path)  # another kubelet, which finds the pods
    for pod, first in firsts.items():
        after.claim(first, pod)
    assert {pod: after.take(pod) for pod in firsts} == firsts
    assert after.take("new") not in firsts.values()
    after.release("pod-7")
    assert after.take("pod-7") == firsts["pod-7"]


def test_what_the_machine_has_lent_to_its_users_is_no_pods(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userids, "LAST", FIRST + 3)
    (tmp_path / "subuid").write_text(f"ann:{(FIRST + 1) * COUNT - 1}:2\nnonsense\nbob:x:y\n:::\n")
    (tmp_path / "subgid").write_text(f"ann:100000:65536\nbob:{(FIRST + 2) * COUNT + 9}:1\n")
    made = IdRanges(tmp_path)
    assert made.take("one") == (FIRST + 3) * COUNT
    with pytest.raises(OSError, match="no free range of user ids: 1 pods have one"):
        made.take("two")

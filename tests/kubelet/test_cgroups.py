"""Control groups against a recorded tree of each version."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelet.runtimes.base import Limits
from kubelet.runtimes.process.cgroups import Cgroups

LIMITS = Limits(cpu_millis=500, memory_bytes=1 << 26, shares=256)


def proc(tmp_path: Path) -> Path:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("8:pids:/\n4:memory:/mine\n1:cpu,cpuacct:/\n0::/\n")
    return tmp_path / "proc"


def test_version_1_below_our_own_group(tmp_path: Path) -> None:
    groups = Cgroups("k", 100, tmp_path / "fs", proc(tmp_path))
    entries = groups.create("u", "c-0", LIMITS)
    assert str(tmp_path / "fs/memory/mine/k/u/c-0/cgroup.procs") in entries
    assert (tmp_path / "fs/memory/mine/k/u/c-0/memory.limit_in_bytes").read_text() == str(1 << 26)
    assert (tmp_path / "fs/cpu/k/u/c-0/cpu.cfs_quota_us").read_text() == "50000"
    assert (tmp_path / "fs/pids/k/u/c-0/pids.max").read_text() == "100"
    (tmp_path / "fs/memory/mine/k/u/c-0/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert groups.oom_killed("u", "c-0")


def test_limits_of_a_running_container_change_unless_it_uses_more(tmp_path: Path) -> None:
    groups = Cgroups("k", 100, tmp_path / "fs", proc(tmp_path))
    groups.create("u", "c-0", LIMITS)
    memory = tmp_path / "fs/memory/mine/k/u/c-0"
    (memory / "memory.usage_in_bytes").write_text(str(1 << 20))
    groups.change("u", "c-0", Limits(cpu_millis=1000, memory_bytes=1 << 21))
    assert (memory / "memory.limit_in_bytes").read_text() == str(1 << 21)
    assert (tmp_path / "fs/cpu/k/u/c-0/cpu.cfs_quota_us").read_text() == "100000"
    with pytest.raises(OSError, match="below the 1048576 bytes in use"):
        groups.change("u", "c-0", Limits(cpu_millis=2000, memory_bytes=1 << 19))
    assert (tmp_path / "fs/cpu/k/u/c-0/cpu.cfs_quota_us").read_text() == "100000"


def test_version_2(tmp_path: Path) -> None:
    (tmp_path / "fs").mkdir()
    (tmp_path / "fs/cgroup.controllers").write_text("cpu memory pids\n")
    groups = Cgroups("k", 100, tmp_path / "fs", proc(tmp_path))
    assert groups.create("u", "c-0", LIMITS) == [str(tmp_path / "fs/k/u/c-0/cgroup.procs")]
    assert (tmp_path / "fs/k/u/c-0/cpu.max").read_text() == "50000 100000"
    assert (tmp_path / "fs/k/u/c-0/memory.max").read_text() == str(1 << 26)
    (tmp_path / "fs/k/u/c-0/memory.events").write_text("oom 2\noom_kill 0\n")
    assert not groups.oom_killed("u", "c-0")


def test_a_machine_without_control_groups(tmp_path: Path) -> None:
    (tmp_path / "fs").write_text("not a directory")
    groups = Cgroups("k", 100, tmp_path / "fs", proc(tmp_path))
    assert groups.roots == {} and groups.create("u", "c-0", LIMITS) == []

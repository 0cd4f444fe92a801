"""The store against a simple model, on both databases: concurrency, conflicts, claims, compaction, resumption."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cluster.cache import Cache
from cluster.compaction import Compactor
from cluster.database import Database
from cluster.store import Change, Key, Store, Stored, Write
from kube.errors import AlreadyExists, ApiError, ClaimTaken, Conflict, Gone, NotFound


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty, migrated database of each sort."""
    if request.param == "sqlite":
        url = f"sqlite:///{request.getfixturevalue('var')}/cluster.db"
    else:
        request.getfixturevalue("var")
        url = request.getfixturevalue("postgres_url")
    made = Database(url)
    yield made
    made.close()


@pytest.fixture
def both(database: Database) -> Iterator[Store]:
    made = Store(database)
    yield made
    made.close()


def pod(name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "d", "uid": f"uid-{name}"}, "spec": more}


def key(name: str, storage: str = "pods") -> Key:
    return Key(storage, "d", name)


def create(store: Store, name: str, **more: Any) -> Stored:
    return store.write(Write("create", key(name), pod(name, **more)))


def test_a_write_is_read_back_with_its_revision(both: Store) -> None:
    stored = create(both, "a", x=1)
    assert stored.obj["metadata"]["resourceVersion"] == str(stored.revision)
    assert both.get(key("a")) == stored
    assert both.revision() == stored.revision


def test_errors_say_what_was_wrong(both: Store) -> None:
    first = create(both, "a")
    with pytest.raises(AlreadyExists):
        create(both, "a")
    with pytest.raises(NotFound):
        both.write(Write("update", key("b"), pod("b")))
    both.write(Write("update", key("a"), pod("a", x=2), expect=first.revision))
    with pytest.raises(Conflict):
        both.write(Write("update", key("a"), pod("a", x=3), expect=first.revision))
    with pytest.raises(Conflict):
        both.write(Write("delete", key("a"), pod("a"), expect=first.revision))
    assert both.get(key("a")).obj["spec"] == {"x": 2}  # type: ignore[union-attr]


def test_an_atomic_batch_is_all_or_nothing(both: Store) -> None:
    create(both, "a")
    before = both.revision()
    results = both.write_many([Write("create", key("b"), pod("b")), Write("create", key("a"), pod("a"))], atomic=True)
    assert all(isinstance(result, ApiError) for result in results)
    assert both.get(key("b")) is None and both.revision() == before
    results = both.write_many([Write("create", key("b"), pod("b")), Write("create", key("a"), pod("a"))])
    assert isinstance(results[0], Stored) and isinstance(results[1], AlreadyExists)


def test_one_batch_may_change_one_object_several_times(both: Store) -> None:
    results = both.write_many(
        [
            Write("create", key("a"), pod("a")),
            Write("update", key("a"), pod("a", x=1)),
            Write("delete", key("a"), pod("a", x=1)),
            Write("create", key("a"), pod("a", x=2)),
        ]
    )
    assert [r.revision for r in results] == [1, 2, 3, 4]  # type: ignore[union-attr]
    assert [c.type for c in both.changes_since(0)] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    assert both.get(key("a")).obj["spec"] == {"x": 2}  # type: ignore[union-attr]


def test_a_claimed_value_has_one_owner_until_it_is_given_up(both: Store) -> None:
    claim = [("clusterip", "10.96.0.5")]
    both.write(Write("create", key("a", "services"), pod("a"), claims=claim))
    with pytest.raises(ClaimTaken, match=r"10\.96\.0\.5"):
        both.write(Write("create", key("b", "services"), pod("b"), claims=claim))
    both.write(Write("update", key("a", "services"), pod("a"), claims=claim))
    both.write(Write("delete", key("a", "services"), pod("a")))
    both.write(Write("create", key("b", "services"), pod("b"), claims=claim))


def test_a_commit_may_be_larger_than_a_statement(both: Store) -> None:
    """A restore is one commit of the whole cluster; SQL allows 65,535 parameters, on SQLite some more."""
    count = 17_000 if both.database.postgres else 66_000
    writes = [Write("create", key(f"p{n}"), pod(f"p{n}"), claims=[("scope", f"v{n}")]) for n in range(count)]
    results = both.write_many(writes, atomic=True)
    assert [r.revision for r in results if isinstance(r, Stored)] == list(range(1, count + 1))
    again = both.write_many(writes[-3:])
    assert [type(r).__name__ for r in again] == ["AlreadyExists"] * 3


def test_secrets_are_unreadable_in_the_database(both: Store) -> None:
    body = {"metadata": {"name": "s", "namespace": "d", "uid": "u"}, "data": {"password": "aHVudGVyMg=="}}
    both.write(Write("create", key("s", "secrets"), body))
    kept = bytes(both.database.value("SELECT body FROM cluster_change WHERE storage = 'secrets'"))
    assert b"aHVudGVyMg" not in kept
    assert both.get(key("s", "secrets")).obj["data"] == {"password": "aHVudGVyMg=="}  # type: ignore[union-attr]
    assert both.changes_since(0)[0].body.startswith(b"{")


def test_concurrent_writers_lose_nothing_and_conflict_exactly(both: Store) -> None:
    """Many threads increment one counter by compare-and-swap, in two stores (as two processes would)."""
    create(both, "counter", n=0)
    other = Store(Database(both.database.url))

    def work(store: Store) -> None:
        done = 0
        while done < 10:
            seen = store.get(key("counter"))
            assert seen is not None
            try:
                store.write(
                    Write("update", key("counter"), pod("counter", n=seen.obj["spec"]["n"] + 1), expect=seen.revision)
                )
                done += 1
            except Conflict:
                continue

    threads = [threading.Thread(target=work, args=(store,)) for store in (both, other) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert both.get(key("counter")).obj["spec"]["n"] == 80  # type: ignore[union-attr]
    revisions = [change.revision for change in both.changes_since(0)]
    assert revisions == list(range(1, 82)), "revisions have no gap and keep the order of commits"
    other.close()


def test_a_cache_of_another_process_sees_every_change_once_and_in_order(both: Store) -> None:
    other = Store(Database(both.database.url))
    follower = Cache(other)
    seen: list[int] = []
    follower.subscribe(lambda events: seen.extend(event.revision for event in events))
    follower.start()
    threads = [threading.Thread(target=lambda t=t: [create(both, f"p{t}-{i}") for i in range(25)]) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert follower.refresh() == 100
    assert seen == list(range(1, 101))
    assert len(follower.list("pods", "d")) == 100
    follower.close()
    other.close()


def test_compaction_keeps_later_moments_exact_and_refuses_earlier_ones(both: Store) -> None:
    create(both, "a", x=1)
    create(both, "b")
    both.write(Write("update", key("a"), pod("a", x=2)))
    both.write(Write("delete", key("b"), pod("b")))
    create(both, "c")
    assert both.compact(3) == 1
    assert [(c.key.name, c.revision) for c in both.at(3, "pods")] == [("a", 3), ("b", 2)]
    assert [(c.key.name, c.revision) for c in both.at(5, "pods", "d")] == [("a", 3), ("c", 5)]
    assert [c.type for c in both.changes_since(3)] == ["DELETED", "ADDED"]
    with pytest.raises(Gone):
        both.changes_since(2)
    with pytest.raises(Gone):
        both.at(2, "pods")
    assert both.compact(5) >= 2
    assert both.revision() == 5, "the counter survives the compaction of everything"


def test_a_compactor_keeps_the_wanted_history_and_no_more(both: Store) -> None:
    create(both, "a", x=0)
    for x in range(300):
        both.write_many(
            [
                Write("update", key("a"), pod("a", x=x)),
                Write("create", key(f"b{x}"), pod(f"b{x}")),
                Write("delete", key(f"b{x}"), pod(f"b{x}")),
            ]
        )
    young = Compactor(both, hours=1, changes=1000)
    assert young.run() and both.compacted() == 0
    assert Compactor(both, hours=1, changes=100).run(30)
    newest = both.revision()
    assert both.compacted() == newest - 100
    assert [(c.key.name, c.revision) for c in both.at(newest - 100, "pods")] == [
        ("a", newest - 101),
        ("b266", newest - 100),
    ]
    assert both.database.value("SELECT count(*) FROM cluster_change") == 2 + 100
    old = Compactor(both, hours=1, changes=1000, clock=lambda: time.time() + 4000)
    assert old.run(30)
    assert both.compacted() == newest and both.get(key("a")) is not None
    assert create(both, "c").revision == newest + 1


def test_history_reaches_over_deletions(both: Store) -> None:
    create(both, "a", x=1)
    both.write(Write("update", key("a"), pod("a", x=2)))
    both.write(Write("delete", key("a"), pod("a", x=2)))
    assert [c.type for c in both.history(key("a"))] == ["DELETED", "MODIFIED", "ADDED"]
    create(both, "b")
    create(both, "a", x=3)
    found = both.history(key("a"))
    assert [c.revision for c in found] == [5, 3, 2, 1]
    before = both.before(found[2])
    assert before is not None and before.revision == 1 and both.before(found[3]) is None
    assert [c.revision for c in both.history(key("a"), 2)] == [5, 3]


def test_the_revision_of_a_moment(both: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for second in range(1, 9):
        monkeypatch.setattr(time, "time", lambda now=float(second): now)
        create(both, f"p{second}")
    assert [both.revision_at(at) for at in (0.5, 1.0, 1.5, 4.0, 7.5, 99.0)] == [0, 0, 1, 3, 7, 8]


def test_a_write_that_is_no_json_fails_alone(both: Store) -> None:
    results = both.write_many([Write("create", key("a"), pod("a", x=object())), Write("create", key("b"), pod("b"))])
    assert isinstance(results[0], ApiError) and isinstance(results[1], Stored)
    assert results[1].revision == 1


def test_a_failing_database_fails_the_callers_and_recovers(both: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    create(both, "a")

    def broken(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(both, "_save", broken)
        with pytest.raises(ApiError, match="No space left"):
            create(both, "b")
    assert both.get(key("b")) is None
    assert create(both, "b").revision == 2


class StoreMachine(RuleBasedStateMachine):
    """Random writes, compactions and reads of old moments against dictionaries."""

    store: Store
    names = st.sampled_from(["a", "b", "c"])

    @initialize()
    def start(self) -> None:
        self.base = self.store.revision()
        for change in self.store.at(self.base, "pods"):
            self.store.write(Write("delete", change.key, pod(change.key.name)))
        self.states: dict[int, dict[str, tuple[int, int]]] = {self.store.revision(): {}}
        self.compacted = self.store.revision()
        self.store.compact(self.compacted)

    @property
    def now(self) -> dict[str, tuple[int, int]]:
        return self.states[max(self.states)]

    def record(self, revision: int, state: dict[str, tuple[int, int]]) -> None:
        assert revision == max(self.states) + 1
        self.states[revision] = state

    @rule(name=names, value=st.integers(0, 9))
    def create(self, name: str, value: int) -> None:
        write = Write("create", key(name), pod(name, x=value))
        if name in self.now:
            with pytest.raises(AlreadyExists):
                self.store.write(write)
        else:
            revision = self.store.write(write).revision
            self.record(revision, {**self.now, name: (revision, value)})

    @rule(name=names, value=st.integers(0, 9), stale=st.booleans())
    def update(self, name: str, value: int, stale: bool) -> None:
        expected = self.now.get(name, (0, 0))[0] - stale
        write = Write("update", key(name), pod(name, x=value), expect=expected)
        if name not in self.now:
            with pytest.raises(NotFound):
                self.store.write(write)
        elif stale:
            with pytest.raises(Conflict):
                self.store.write(write)
        else:
            revision = self.store.write(write).revision
            self.record(revision, {**self.now, name: (revision, value)})

    @rule(name=names)
    def delete(self, name: str) -> None:
        write = Write("delete", key(name), pod(name))
        if name not in self.now:
            with pytest.raises(NotFound):
                self.store.write(write)
        else:
            revision = self.store.write(write).revision
            self.record(revision, {n: v for n, v in self.now.items() if n != name})

    @rule(back=st.integers(0, 5))
    def compact(self, back: int) -> None:
        self.compacted = max(self.compacted, max(self.states) - back)
        self.store.compact(self.compacted)

    @invariant()
    def every_kept_moment_reads_as_it_was(self) -> None:
        if not hasattr(self, "states"):
            return
        for revision in range(self.compacted, max(self.states) + 1):
            found = {c.key.name: (c.revision, _value(c)) for c in self.store.at(revision, "pods")}
            assert found == self.states[revision]

    @invariant()
    def a_watch_from_any_kept_moment_ends_in_the_present(self) -> None:
        if not hasattr(self, "states"):
            return
        for revision in range(self.compacted, max(self.states) + 1):
            state = dict(self.states[revision])
            for change in self.store.changes_since(revision):
                if change.type == "DELETED":
                    del state[change.key.name]
                else:
                    state[change.key.name] = (change.revision, _value(change))
            assert state == self.now


def _value(change: Change) -> int:
    import orjson

    return int(orjson.loads(change.body)["spec"]["x"])


def test_the_store_behaves_as_its_model(both: Store) -> None:
    machine = type("Machine", (StoreMachine,), {"store": both})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

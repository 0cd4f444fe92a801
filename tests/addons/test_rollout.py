"""A change of configuration is rolled out, and rolled back when it does not become healthy in time."""

from __future__ import annotations

import json
import re

import pytest

from addons.manager import AddonManager
from kube.errors import ApiError
from tests.addons.sample import SYSTEM, Cluster


def command(cluster: Cluster) -> str:
    worker = cluster.ctx.session.get("deployments.apps", SYSTEM, "worker")
    assert worker is not None
    return str(worker["spec"]["template"]["spec"]["containers"][0]["command"][2])


def actions(cluster: Cluster) -> list[str]:
    return [row[0] for row in cluster.audit()]


def test_a_change_comes_into_force_when_the_pods_have_been_ready_for_a_while(working: Cluster) -> None:
    working.edit(command="sleep 5")
    assert working.turn() == 1.0 and working.note("state") == "rolling out"
    assert command(working) == "sleep 5" and json.loads(working.note("in-force"))["command"] == "sleep 9"
    working.work()
    working.turn(after=9)
    assert working.note("state") == "rolling out", "ready, but not for long"
    working.turn(after=2)
    assert working.note("state") == "healthy" and working.note("rollout") == ""
    assert json.loads(working.note("in-force"))["command"] == "sleep 5"
    assert actions(working) == ["rolled out", "changed", "rolled out"]
    _, actor, changes, _ = working.audit()[1]
    assert actor == "kubectl-edit" and json.loads(changes) == [["command", "sleep 9", "sleep 5"]]
    assert working.events() == [("AddonRolledOut", "In force: command=sleep 5.")]


def test_what_does_not_become_healthy_is_rolled_back(working: Cluster) -> None:
    working.edit(command="exit 7", rollout_deadline="60")
    working.turn()
    working.work(ready=False, crashed=True)
    working.turn(after=58)
    assert working.note("state") == "rolling out" and "exit code 7" in working.note("health")
    working.turn(after=3)
    assert command(working) == "sleep 9"
    data = working.data()
    assert data and data["command"] == "sleep 9" and data["rollout_deadline"] == "120"
    last = json.loads(working.note("last-rollout"))
    assert last["result"] == "rolled back" and last["tried"] == {"command": "exit 7", "rollout_deadline": "60"}
    assert last["inForce"] == {"command": "sleep 9", "rollout_deadline": "120"}
    assert (
        "not healthy after 60 s" in last["reason"] and "exit code 7: no such <file>, CrashLoopBackOff" in last["reason"]
    )
    assert [row[:2] for row in working.audit()][-2:] == [("changed", "kubectl-edit"), ("rolled back", "addon-manager")]
    [(reason, message)] = working.events()
    assert reason == "AddonRolledBack" and "command=exit 7" in message and "In force: command=sleep 9" in message
    before = len(working.audit())
    working.turn(after=5)
    assert len(working.audit()) == before, "what the manager writes back is no change by somebody"


def test_what_the_api_refuses_is_rolled_back_at_once(working: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from addons import manager
    from tests.addons.sample import WORKING

    document = WORKING.documents[1].replace("name: main", "name: ${command}")
    monkeypatch.setattr(manager, "catalogue", lambda: {"sample": replace(WORKING, documents=(document,))})
    working.edit(command="No_Name")
    with pytest.raises(ApiError):  # the other manifest cannot do with the old configuration either
        working.turn()
    data = working.data()
    assert data and data["command"] == "sleep 9" and "No_Name" in json.loads(working.note("last-rollout"))["reason"]


def test_a_crash_loop_without_a_probe_is_never_healthy(working: Cluster) -> None:
    working.edit(command="sleep 2; exit 1", rollout_deadline="30")
    working.turn()
    for _ in range(11):
        working.now += 3
        working.work(ready=True)  # ready anew, just now
        working.turn()
    assert working.data() and working.data()["command"] == "sleep 9"  # type: ignore[index]
    assert "do not stay ready" in json.loads(working.note("last-rollout"))["reason"]


def test_time_without_a_node_does_not_count(working: Cluster) -> None:
    working.edit(command="sleep 5")
    working.turn()
    working.work(ready=False)
    working.node(ready=False)
    working.turn(after=500)
    assert working.note("state") == "rolling out" and "node harbor is not ready" in working.note("health")
    working.node(ready=True, since=working.now)
    working.turn(after=60)
    assert working.note("state") == "rolling out", "the deadline counts from when the node came back"
    working.turn(after=61)
    assert json.loads(working.note("last-rollout"))["result"] == "rolled back"


def test_another_manager_goes_on_where_one_was_killed(working: Cluster) -> None:
    working.edit(command="sleep 5")
    working.turn()
    working.work(ready=False)
    working.manager = AddonManager()
    working.turn(after=1000)
    assert working.note("state") == "rolling out", "it looks for itself first"
    working.turn(after=16)
    assert json.loads(working.note("last-rollout"))["result"] == "rolled back" and command(working) == "sleep 9"


def test_a_second_change_replaces_a_rollout_and_both_go_back_to_what_was_healthy(working: Cluster) -> None:
    working.edit(command="exit 1")
    working.turn()
    working.work(ready=False)
    working.edit(command="exit 2")
    working.turn(after=100)
    assert command(working) == "exit 2"
    working.work(ready=False)
    working.turn(after=100)
    assert working.note("state") == "rolling out", "the deadline is that of the second"
    working.turn(after=21)
    assert command(working) == "sleep 9" and actions(working)[-3:] == ["changed", "changed", "rolled back"]


def test_changed_back_during_a_rollout_there_is_nothing_to_wait_for(working: Cluster) -> None:
    working.edit(command="exit 1")
    working.turn()
    working.edit(command="sleep 9")
    working.turn()
    assert working.note("rollout") == "" and command(working) == "sleep 9"


def test_switched_off_during_a_rollout_it_goes(working: Cluster) -> None:
    working.edit(command="exit 1")
    working.turn()
    working.edit(enabled="false")
    working.turn()
    assert working.ctx.session.get("deployments.apps", SYSTEM, "worker") is None
    assert working.note("state") == "off" and json.loads(working.note("in-force"))["enabled"] == "false"


def test_switched_on_and_never_healthy_it_is_off_again(working: Cluster) -> None:
    working.edit(enabled="false")
    working.turn()
    working.edit(enabled="true", command="exit 1")
    working.turn()
    assert command(working) == "exit 1"
    working.turn(after=121)
    assert working.note("state") == "off" and working.data()["enabled"] == "false"  # type: ignore[index]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"size": "many"}, 'size: "many" is not a whole number; it has to be a whole number from 1 to 9'),
        ({"size": "12"}, 'size: "12" is out of range; it has to be a whole number from 1 to 9'),
        ({"sise": "2"}, "sise: there is no such option; did you mean size\\? Remove the key."),
        ({"enabled": "yes"}, 'enabled: "yes" is neither true nor false'),
        ({"command": "a\nb: c"}, "command: .* has a line break"),
        ({"rollout_deadline": "1"}, "rollout_deadline: .* from 5 to 3600"),
    ],
)
def test_what_can_not_be_is_refused_and_the_last_good_stays(working: Cluster, data: dict[str, str], words: str) -> None:
    working.edit(**{"command": "sleep 4", **data})
    working.turn()
    assert command(working) == "sleep 9", "nothing of a bad configuration is applied"
    error = working.note("error")
    assert re.search(words, error), error
    assert error.endswith("the configuration that was in force stays.") and working.note("state") == "healthy"
    assert working.note("refused") == next(iter(data))
    assert actions(working)[-2:] == ["changed", "refused"]
    assert [reason for reason, _ in working.events()] == ["AddonConfigRefused"]
    working.turn(after=30)
    assert working.note("error") == error, "it is said as long as it is so"
    working.edit(**{**dict.fromkeys(data), "command": "sleep 4"})
    working.turn()
    assert working.note("error") == "" and working.note("refused") == "" and command(working) == "sleep 4"


def test_a_bad_value_on_a_new_cluster_leaves_its_default(plain: Cluster) -> None:
    plain.ctx.session.create("configmaps", SYSTEM, {"metadata": {"name": "addon-sample"}, "data": {"size": "big"}})
    plain.turn()
    assert plain.data("kept") == {"size": "3"} and "the rest is applied" in plain.note("error")


def test_without_anything_to_go_back_to_it_says_so_and_goes_on(working: Cluster) -> None:
    working.ctx.session.delete("configmaps", SYSTEM, "addon-sample")
    working.turn()
    working.work(ready=False)
    working.turn(after=121)
    assert working.note("state") == "not healthy" and "no earlier configuration" in working.note("error")
    assert [reason for reason, _ in working.events()] == ["AddonUnhealthy"]
    working.turn(after=10)
    assert actions(working).count("unhealthy") == 1
    working.work()
    working.turn(after=20)
    assert working.note("state") == "healthy" and working.note("error") == ""


def test_a_workload_that_ails_later_is_told_but_nothing_is_rolled_back(working: Cluster) -> None:
    working.work(ready=False, crashed=True)
    assert working.turn(after=300) == 10.0
    assert working.note("state") == "not healthy" and "CrashLoopBackOff" in working.note("health")
    assert working.note("last-rollout") == "" or json.loads(working.note("last-rollout"))["result"] == "rolled out"


def test_annotations_that_somebody_spoilt_count_as_absent(working: Cluster) -> None:
    working.ctx.session.patch(
        "configmaps",
        SYSTEM,
        "addon-sample",
        {
            "metadata": {
                "annotations": {
                    "addons.binnacle/in-force": "[1",
                    "addons.binnacle/rollout": '{"started": 3}',
                    "addons.binnacle/last-rollout": "{}",
                }
            }
        },
        "application/merge-patch+json",
    )
    working.turn()
    working.turn(after=11)
    assert working.note("state") == "healthy" and json.loads(working.note("in-force"))["command"] == "sleep 9"


def test_the_trail_is_bounded(working: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    from addons import audit

    monkeypatch.setattr(audit, "KEPT", 5)
    database = working.ctx.session.store.database
    for revision in range(20):
        audit.record(database, "sample", audit.CHANGED, "anna", 10_000 + revision, [("size", "1" * 900, None)])
    rows = working.audit()
    assert len(rows) == 5 and len(json.loads(rows[0][2])[0][1]) == 501


def test_the_trail_keeps_no_credentials(working: Cluster) -> None:
    from addons import audit

    changes = [("password", "hunter2", "hunter3"), ("url", None, "http://app:hunter2@es:9200"), ("size", "1", "2")]
    database = working.ctx.session.store.database
    audit.record(database, "sample", audit.CHANGED, "anna", 77, changes, "refused: token=hunter2")
    _, _, kept, note = working.audit()[-1]
    assert "hunter" not in kept + note and json.loads(kept)[2] == ["size", "1", "2"]


def test_a_person_stands_for_the_name_of_the_client(working: Cluster) -> None:
    from addons import audit

    database = working.ctx.session.store.database
    for actor, known in (("addon-admin", False), ("anna", True), ("addon-admin", False)):
        audit.record(database, "sample", audit.CHANGED, actor, 77, [], known=known)
    assert [row[1] for row in working.audit() if row[0] == "changed"] == ["anna"]


def test_the_trail_is_kept_in_postgresql_too(postgres_url: str) -> None:
    from addons import audit
    from cluster.database import Database

    database = Database(postgres_url)
    try:
        for actor, known in (("kubectl-edit", False), ("anna", True), ("ben", False)):
            audit.record(database, "dns", audit.CHANGED, actor, 5, [("ttl", "5", None)], "note", known)
        assert database.rows("SELECT actor, changes, note FROM addons_auditentry") == [
            ("anna", '[["ttl","5",null]]', "note")
        ]
    finally:
        database.close()

"""kube_pod_* as kube-state-metrics has them."""

from __future__ import annotations

from kube.objects import Json
from tests.monitoring.objects.build import AT, SECONDS, container, pod, samples


def test_a_running_pod() -> None:
    found = samples("pods", pod())
    for line in (
        'kube_pod_info{pod="web",host_ip="10.0.0.1",pod_ip="10.0.0.5",node="n1",created_by_kind="ReplicaSet",'
        'created_by_name="web-7d",priority_class="high",host_network="false"} 1',
        'kube_pod_owner{pod="web",owner_kind="ReplicaSet",owner_name="web-7d",owner_is_controller="true"} 1',
        'kube_pod_status_phase{pod="web",phase="Running"} 1',
        'kube_pod_status_phase{pod="web",phase="Failed"} 0',
        'kube_pod_status_ready{pod="web",condition="true"} 1',
        'kube_pod_status_ready{pod="web",condition="unknown"} 0',
        f'kube_pod_status_ready_time{{pod="web"}} {SECONDS}',
        f'kube_pod_start_time{{pod="web"}} {SECONDS}',
        'kube_pod_container_info{pod="web",container="app",image_spec="web:1",image="web:1",image_id="sha256:1",'
        'container_id="process://1"} 1',
        'kube_pod_container_status_running{pod="web",container="app"} 1',
        'kube_pod_container_status_waiting{pod="web",container="app"} 0',
        'kube_pod_container_status_restarts_total{pod="web",container="app"} 4',
        f'kube_pod_container_state_started{{pod="web",container="app"}} {SECONDS}',
        'kube_pod_container_resource_requests{pod="web",container="app",node="n1",resource="cpu",unit="core"} 0.25',
        'kube_pod_container_resource_requests{pod="web",container="app",node="n1",resource="memory",'
        'unit="byte"} 67108864',
        'kube_pod_container_resource_requests{pod="web",container="app",node="n1",resource="example_com_gpu",'
        'unit="integer"} 1',
        'kube_pod_container_resource_limits{pod="web",container="app",node="n1",resource="cpu",unit="core"} 1',
        'kube_pod_spec_volumes_persistentvolumeclaims_readonly{pod="web",volume="data",persistentvolumeclaim="c",'
        'ephemeral="false"} 1',
    ):
        assert line in found, line


def test_a_crashing_container() -> None:
    broken = container(
        ready=False,
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": AT}},
    )
    found = samples("pods", pod(containerStatuses=[broken]))
    assert 'kube_pod_container_status_waiting_reason{pod="web",container="app",reason="CrashLoopBackOff"} 1' in found
    assert 'kube_pod_container_status_last_terminated_reason{pod="web",container="app",reason="OOMKilled"} 1' in found
    assert 'kube_pod_container_status_last_terminated_exitcode{pod="web",container="app"} 137' in found
    assert 'kube_pod_container_status_ready{pod="web",container="app"} 0' in found


def test_an_evicted_pod() -> None:
    found = samples("pods", pod(phase="Failed", reason="Evicted", containerStatuses=[]))
    assert 'kube_pod_status_reason{pod="web",reason="Evicted"} 1' in found
    assert 'kube_pod_status_phase{pod="web",phase="Failed"} 1' in found


def test_a_finished_pod_says_when() -> None:
    ended = container(state={"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": AT, "finishedAt": AT}})
    found = samples("pods", pod(phase="Succeeded", containerStatuses=[ended]))
    assert f'kube_pod_completion_time{{pod="web"}} {SECONDS}' in found
    assert 'kube_pod_container_status_terminated_reason{pod="web",container="app",reason="Completed"} 1' in found


def test_a_pod_that_nobody_owns_and_no_node_has() -> None:
    alone: Json = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1"},
        "spec": {"containers": [{"name": "app", "image": "i"}]},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
        },
    }
    found = samples("pods", alone)
    assert 'kube_pod_owner{pod="web",owner_kind="",owner_name="",owner_is_controller=""} 1' in found
    assert 'kube_pod_status_unschedulable{pod="web"} 1' in found
    assert not [line for line in found if line.startswith(("kube_pod_container_", "kube_pod_created"))]


def test_hostile_values_stay_within_their_quotes() -> None:
    waiting = container(state={"waiting": {"reason": 'a"} 1\nkube_pod_info{x="\\'}})
    found = samples("pods", pod(containerStatuses=[waiting]))
    assert [line for line in found if line.startswith("kube_pod_container_status_waiting_reason")] == [
        'kube_pod_container_status_waiting_reason{pod="web",container="app",'
        'reason="a\\"} 1\\nkube_pod_info{x=\\"\\\\"} 1'
    ]

"""Pods: defaults, rules, what may change, their subresources."""

from __future__ import annotations

from typing import Any

import pytest

from kube import registry
from kube.objects import Json
from kube.registry import Context
from tests.kube.kinds.groups.pipeline import CONTAINER, create, refused, update

STATUS = "status"


def pod(spec: Json | None = None, **container: Any) -> Json:
    return create("v1", "Pod", spec={"containers": [{**CONTAINER, **container}], **(spec or {})})


def bad(spec: Json | None = None, **container: Any) -> set[tuple[str, str]]:
    return refused(pod, spec, **container)


def warnings(obj: Json) -> list[str]:
    kind = registry.BUILT_IN.by_storage("pods")
    assert kind is not None
    return kind.strategy.warnings(obj, None, Context())


def test_defaults() -> None:
    made = pod()
    assert made["spec"] == {
        "containers": [
            {
                "name": "c",
                "image": "nginx",
                "resources": {},
                "imagePullPolicy": "Always",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "enableServiceLinks": True,
    }
    assert made["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert made["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:" + "a" * 64, "IfNotPresent"),
    ],
)
def test_pull_policy_follows_the_tag(image: str, policy: str) -> None:
    assert pod(image=image)["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_requests_default_to_limits() -> None:
    resources = pod(resources={"limits": {"cpu": 0.5, "memory": "1024Mi"}, "requests": {"cpu": "0.0001"}})["spec"][
        "containers"
    ][0]["resources"]
    assert resources == {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "1m", "memory": "1Gi"}}


def test_probes_and_ports() -> None:
    container = pod(
        ports=[{"containerPort": 80}], livenessProbe={"httpGet": {"port": 80}}, readinessProbe={"grpc": {"port": 1}}
    )["spec"]["containers"][0]
    timing = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert container["livenessProbe"] == {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, **timing}
    assert container["readinessProbe"] == {"grpc": {"port": 1, "service": ""}, **timing}


def test_host_network_opens_ports_on_the_host() -> None:
    assert (
        pod({"hostNetwork": True}, ports=[{"containerPort": 80}])["spec"]["containers"][0]["ports"][0]["hostPort"] == 80
    )


def test_volume_defaults() -> None:
    volumes = pod(
        {
            "volumes": [
                {"name": "a"},
                {"name": "b", "secret": {"secretName": "s"}},
                {"name": "c", "hostPath": {"path": "/x"}},
            ]
        }
    )["spec"]["volumes"]
    assert volumes == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "secret": {"secretName": "s", "defaultMode": 420}},
        {"name": "c", "hostPath": {"path": "/x", "type": ""}},
    ]


def test_gated_pod_says_so() -> None:
    made = pod({"schedulingGates": [{"name": "g"}]})
    assert made["status"]["conditions"][0]["reason"] == "SchedulingGated"


@pytest.mark.parametrize(
    ("requests", "limits", "quality"),
    [
        ({}, {}, "BestEffort"),
        ({"cpu": "1"}, {}, "Burstable"),
        ({}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
        ({"cpu": "500m"}, {"cpu": "1", "memory": "1Gi"}, "Burstable"),
        ({}, {"cpu": "1"}, "Burstable"),
        ({"cpu": "1", "memory": "1024Mi"}, {"cpu": "1", "memory": "1Gi"}, "Guaranteed"),
    ],
)
def test_quality_of_service(requests: Json, limits: Json, quality: str) -> None:
    assert pod(resources={"requests": requests, "limits": limits})["status"]["qosClass"] == quality


C0 = "spec.containers[0]"


@pytest.mark.parametrize(
    ("container", "cause"),
    [
        ({"name": "A_"}, (f"{C0}.name", "Invalid")),
        ({"image": ""}, (f"{C0}.image", "Required")),
        ({"image": " i"}, (f"{C0}.image", "Invalid")),
        ({"imagePullPolicy": "Odd"}, (f"{C0}.imagePullPolicy", "NotSupported")),
        ({"ports": [{}]}, (f"{C0}.ports[0].containerPort", "Required")),
        ({"ports": [{"containerPort": 1, "name": "123"}]}, (f"{C0}.ports[0].name", "Invalid")),
        (
            {"ports": [{"containerPort": 1, "hostPort": 9}, {"containerPort": 2, "hostPort": 9}]},
            (f"{C0}.ports[1].hostPort", "Duplicate"),
        ),
        ({"env": [{"name": "A=B"}]}, (f"{C0}.env[0].name", "Invalid")),
        ({"env": [{"name": "A", "valueFrom": {}}]}, (f"{C0}.env[0].valueFrom", "Invalid")),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.phase"}}}]},
            (f"{C0}.env[0].valueFrom.fieldRef.fieldPath", "NotSupported"),
        ),
        ({"envFrom": [{"configMapRef": {}}]}, (f"{C0}.envFrom[0].configMapRef.name", "Required")),
        ({"volumeMounts": [{"name": "z", "mountPath": "/x"}]}, (f"{C0}.volumeMounts[0].name", "NotFound")),
        ({"livenessProbe": {}}, (f"{C0}.livenessProbe", "Required")),
        (
            {"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}},
            (f"{C0}.livenessProbe.successThreshold", "Invalid"),
        ),
        ({"lifecycle": {"preStop": {"exec": {}}}}, (f"{C0}.lifecycle.preStop.exec.command", "Required")),
        ({"resources": {"requests": {"cpu": 2}, "limits": {"cpu": 1}}}, (f"{C0}.resources.requests", "Invalid")),
        ({"resources": {"limits": {"hugepages-2Mi": "2Mi"}}}, (f"{C0}.resources", "Forbidden")),
        ({"resources": {"claims": [{"name": "a"}]}}, (f"{C0}.resources.claims[0]", "NotFound")),
        (
            {"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]},
            (f"{C0}.restartPolicy", "Required"),
        ),
        (
            {"restartPolicy": "Never", "restartPolicyRules": [{"action": "Restart"}]},
            (f"{C0}.restartPolicyRules[0].exitCodes", "Required"),
        ),
        ({"securityContext": {"runAsUser": -1}}, (f"{C0}.securityContext.runAsUser", "Invalid")),
        (
            {"securityContext": {"privileged": True, "allowPrivilegeEscalation": False}},
            (f"{C0}.securityContext", "Invalid"),
        ),
    ],
)
def test_bad_containers(container: Json, cause: tuple[str, str]) -> None:
    assert bad(None, **container) == {cause}


AFFINITY = "requiredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"containers": []}, ("spec.containers", "Required")),
        ({"restartPolicy": "Odd"}, ("spec.restartPolicy", "NotSupported")),
        ({"dnsPolicy": "None"}, ("spec.dnsConfig", "Required")),
        ({"nodeName": "A_"}, ("spec.nodeName", "Invalid")),
        ({"subdomain": "a.b"}, ("spec.subdomain", "Invalid")),
        ({"activeDeadlineSeconds": 0}, ("spec.activeDeadlineSeconds", "Invalid")),
        ({"nodeSelector": {"a b": "c"}}, ("spec.nodeSelector", "Invalid")),
        ({"ephemeralContainers": [{"name": "e", "image": "i"}]}, ("spec.ephemeralContainers", "Forbidden")),
        ({"initContainers": [{"name": "c", "image": "i"}]}, ("spec.initContainers[0].name", "Duplicate")),
        (
            {"initContainers": [{"name": "i", "image": "i", "lifecycle": {}}]},
            ("spec.initContainers[0].lifecycle", "Forbidden"),
        ),
        ({"tolerations": [{"operator": "Equal"}]}, ("spec.tolerations[0].operator", "Invalid")),
        ({"tolerations": [{"key": "a", "effect": "Odd"}]}, ("spec.tolerations[0].effect", "NotSupported")),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]},
            ("spec.topologySpreadConstraints[0].maxSkew", "Invalid"),
        ),
        ({"schedulingGates": [{"name": "g"}, {"name": "g"}]}, ("spec.schedulingGates[1]", "Duplicate")),
        ({"schedulingGates": [{"name": "g"}], "nodeName": "n"}, ("spec.nodeName", "Forbidden")),
        (
            {"affinity": {"nodeAffinity": {AFFINITY: {"nodeSelectorTerms": []}}}},
            (f"spec.affinity.nodeAffinity.{AFFINITY}.nodeSelectorTerms", "Required"),
        ),
        ({"shareProcessNamespace": True, "hostPID": True}, ("spec.shareProcessNamespace", "Invalid")),
        ({"hostNetwork": True, "hostUsers": False}, ("spec.hostNetwork", "Forbidden")),
        ({"hostIPC": True, "hostUsers": False}, ("spec.hostIPC", "Forbidden")),
        ({"hostPID": True, "hostUsers": False}, ("spec.hostPID", "Forbidden")),
        ({"readinessGates": [{"conditionType": "a b"}]}, ("spec.readinessGates[0].conditionType", "Invalid")),
        ({"securityContext": {"fsGroup": -1}}, ("spec.securityContext.fsGroup", "Invalid")),
        (
            {"volumes": [{"name": "a", "emptyDir": {}, "hostPath": {"path": "/"}}]},
            ("spec.volumes[0].hostPath", "Forbidden"),
        ),
        ({"volumes": [{"name": "a", "hostPath": {"path": "/a/../b"}}]}, ("spec.volumes[0].hostPath.path", "Invalid")),
        (
            {"volumes": [{"name": "a", "configMap": {"name": "c", "items": [{"key": "k", "path": "/x"}]}}]},
            ("spec.volumes[0].configMap.items[0].path", "Invalid"),
        ),
        (
            {
                "volumes": [
                    {
                        "name": "a",
                        "projected": {"sources": [{"serviceAccountToken": {"expirationSeconds": 5, "path": "t"}}]},
                    }
                ]
            },
            ("spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds", "Invalid"),
        ),
        ({"volumes": [{"name": "a", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]}, None),
    ],
)
def test_bad_specs(spec: Json, cause: tuple[str, str] | None) -> None:
    assert bad(spec) == (
        {cause}
        if cause
        else {
            ("spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes", "Required"),
            ("spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]", "Required"),
        }
    )


def test_a_remembered_spec_does_not_hide_a_bad_one() -> None:
    """Specs that differ in the name of a token's volume only share a digest; nothing else may."""

    def with_mount(volume: str, mount: str) -> Json:
        return pod({"volumes": [{"name": volume, "emptyDir": {}}]}, volumeMounts=[{"name": mount, "mountPath": "/x"}])

    with_mount("kube-api-access-abcde", "kube-api-access-abcde")
    with_mount("kube-api-access-fghij", "kube-api-access-fghij")
    path = "spec.containers[0].volumeMounts[0].name"
    assert refused(with_mount, "kube-api-access-abcde", "kube-api-access-zzzzz") == {(path, "NotFound")}


def test_updates_may_change_images_and_deadlines_only() -> None:
    old = pod()
    new = update(
        old, {"spec": {"containers": [{**old["spec"]["containers"][0], "image": "other"}], "activeDeadlineSeconds": 9}}
    )
    assert (new["metadata"]["generation"], new["spec"]["containers"][0]["image"]) == (2, "other")
    assert refused(update, new, {"spec": {"activeDeadlineSeconds": 10}}) == {("spec.activeDeadlineSeconds", "Invalid")}
    assert refused(update, old, {"spec": {"hostname": "h"}}) == {("spec", "Forbidden")}
    assert refused(update, old, {"spec": {"containers": old["spec"]["containers"] * 2}}) == {
        ("spec.containers", "Forbidden"),
        ("spec.containers[1].name", "Duplicate"),
    }


def test_tolerations_may_be_added_only() -> None:
    first = {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
    old = pod({"tolerations": [first]})
    assert update(
        old, {"spec": {"tolerations": [{**first, "tolerationSeconds": 5}, {"key": "b", "operator": "Exists"}]}}
    )
    assert refused(update, old, {"spec": {"tolerations": []}}) == {("spec.tolerations", "Forbidden")}


def test_a_gated_pod_may_be_narrowed() -> None:
    old = pod({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b"}})
    assert update(old, {"spec": {"nodeSelector": {"c": "d"}}})["spec"]["nodeSelector"] == {"a": "b", "c": "d"}
    assert refused(update, old, {"spec": {"nodeSelector": {"a": "z"}}}) == {("spec.nodeSelector", "Invalid")}
    assert refused(update, old, {"spec": {"schedulingGates": [{"name": "h"}]}}) == {
        ("spec.schedulingGates[0].name", "Forbidden")
    }
    free = update(old, {"spec": {"schedulingGates": None}})
    assert refused(update, free, {"spec": {"nodeSelector": {"c": "d"}}}) == {("spec", "Forbidden")}


def test_status_is_written_apart() -> None:
    old = pod()
    assert update(old, {"status": {"phase": "Running"}})["status"]["phase"] == "Pending"
    new = update(
        old,
        {
            "status": {"phase": "Running", "podIP": "10.0.0.1"},
            "spec": {"hostname": "h"},
            "metadata": {"labels": {"a": "b"}},
        },
        STATUS,
    )
    assert new["status"]["podIPs"] == [{"ip": "10.0.0.1"}] and new["metadata"]["labels"] == {"a": "b"}
    assert "hostname" not in new["spec"] and new["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ({"podIP": "x"}, ("status.podIPs[0]", "Invalid")),
        ({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]}, ("status.podIPs", "Invalid")),
        ({"qosClass": "Guaranteed"}, ("status.qosClass", "Invalid")),
        ({"conditions": [{"type": "a b", "status": "True"}]}, ("status.conditions[0].Type", "Invalid")),
    ],
)
def test_bad_status(status: Json, cause: tuple[str, str]) -> None:
    assert refused(update, pod(), {"status": status}, STATUS) == {cause}


def test_an_ended_container_stays_ended() -> None:
    def state(**now: Any) -> Json:
        return {
            "status": {
                "containerStatuses": [
                    {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": now}
                ]
            }
        }

    ended = update(pod({"restartPolicy": "Never"}), state(terminated={"exitCode": 1}), STATUS)
    assert refused(update, ended, state(running={}, terminated=None), STATUS) == {
        ("status.containerStatuses[0].state", "Forbidden")
    }


def test_a_rule_of_its_own_lets_an_ended_container_run_again() -> None:
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
    container = {"name": "c", "image": "i", "restartPolicy": "Never", "restartPolicyRules": [rule]}

    def state(**now: Any) -> Json:
        return {
            "status": {
                "containerStatuses": [
                    {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "state": now}
                ]
            }
        }

    asked = pod({"restartPolicy": "Never", "containers": [container]})
    again = update(
        update(asked, state(terminated={"exitCode": 42}), STATUS), state(running={}, terminated=None), STATUS
    )
    assert "running" in again["status"]["containerStatuses"][0]["state"]
    ended = update(asked, state(terminated={"exitCode": 1}), STATUS)
    assert refused(update, ended, state(running={}, terminated=None), STATUS) == {
        ("status.containerStatuses[0].state", "Forbidden")
    }


def test_ephemeral_containers_may_be_added_only() -> None:
    part = "ephemeralcontainers"
    new = update(
        pod(),
        {"spec": {"ephemeralContainers": [{"name": "d", "image": "i", "targetContainerName": "c"}], "hostname": "h"}},
        part,
    )
    assert new["metadata"]["generation"] == 2 and "hostname" not in new["spec"]
    assert refused(update, new, {"spec": {"ephemeralContainers": []}}, part) == {
        ("spec.ephemeralContainers", "Forbidden")
    }
    assert refused(update, pod(), {"spec": {"ephemeralContainers": [{"name": "c", "image": "i"}]}}, part) == {
        ("spec.ephemeralContainers[0].name", "Duplicate")
    }


def test_resize_changes_cpu_and_memory_within_the_class() -> None:
    old = pod(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2"}})

    def resize(resources: Json) -> Json:
        return update(old, {"spec": {"containers": [{"name": "c", "image": "z", "resources": resources}]}}, "resize")

    new = resize({"requests": {"cpu": "1500m"}, "limits": {"cpu": "2"}})["spec"]["containers"][0]
    assert (new["image"], new["resources"]["requests"]["cpu"]) == ("nginx", "1500m")
    assert refused(resize, {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}) == {
        ("spec", "Invalid")
    }
    assert refused(
        resize, {"limits": {"cpu": "2", "example.com/x": 1}, "requests": {"cpu": "1", "example.com/x": 1}}
    ) == {("spec", "Forbidden")}


def test_warnings() -> None:
    made = pod(
        {"imagePullSecrets": [{}], "nodeSelector": {"beta.kubernetes.io/os": "linux"}},
        env=[{"name": "A"}, {"name": "A"}],
        resources={"limits": {"memory": "100m"}},
        ports=[{"containerPort": 80}, {"containerPort": 80}],
    )
    assert len(warnings(made)) == 6
    assert warnings(pod()) == []

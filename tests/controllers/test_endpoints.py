"""Endpoints and EndpointSlices: contents, packing, few writes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controllers.endpoints import slices
from controllers.endpoints.controller import EndpointsController
from controllers.endpoints.mirroring import EndpointSliceMirroringController
from controllers.endpoints.slice_controller import EndpointSliceController
from controllers.garbagecollector import GarbageCollector
from tests.controllers.drive import Drive

STORAGE = "endpointslices.discovery.k8s.io"
SERVICE = {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080, "name": "http"}]}}


@pytest.fixture
def drive(cache, monkeypatch):
    made = Drive(
        cache,
        monkeypatch,
        EndpointsController(),
        EndpointSliceController(),
        EndpointSliceMirroringController(),
        GarbageCollector(),
    )
    made.namespace()
    return made


def slices_of(drive):
    return [drive.get(STORAGE, name) for name in drive.names(STORAGE)]


def web(drive, number, **kwargs):
    return drive.pod(f"web-{number}", node="n", ip=f"10.1.0.{number}", labels={"app": "web"}, **kwargs)


def test_ready_and_waiting_pods_appear_where_they_belong(drive):
    drive.create("services", "web", dict(SERVICE))
    web(drive, 1)
    web(drive, 2, ready=False)
    drive.pod("other", node="n", ip="10.1.0.9", labels={"app": "db"})
    drive.run()
    subset = drive.get("endpoints", "web")["subsets"]
    assert [[a["ip"] for a in subset[0][k]] for k in ("addresses", "notReadyAddresses")] == [["10.1.0.1"], ["10.1.0.2"]]
    assert subset[0]["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    (found,) = slices_of(drive)
    assert {e["addresses"][0]: e["conditions"]["ready"] for e in found["endpoints"]} == {
        "10.1.0.1": True,
        "10.1.0.2": False,
    }
    assert found["metadata"]["labels"][slices.SERVICE_LABEL] == "web"
    assert found["endpoints"][0]["targetRef"]["name"] == "web-1" and found["endpoints"][0]["nodeName"] == "n"


def test_a_pod_that_turns_ready_changes_one_slice_once_and_a_restart_none(drive):
    drive.create("services", "web", dict(SERVICE))
    web(drive, 1, ready=False)
    drive.run()
    before = slices_of(drive)[0]["metadata"]["resourceVersion"]
    drive.session.mutate("pods", "default", "web-1", lambda p: p["status"].update(message="restarted"), "status")
    drive.run()
    assert slices_of(drive)[0]["metadata"]["resourceVersion"] == before
    drive.session.mutate(
        "pods", "default", "web-1", lambda p: p["status"]["conditions"][0].update(status="True"), "status"
    )
    drive.run()
    assert slices_of(drive)[0]["endpoints"][0]["conditions"]["ready"] is True


def test_without_pods_there_is_one_empty_slice_and_without_service_nothing(drive):
    drive.create("services", "web", dict(SERVICE))
    drive.run()
    assert [s["endpoints"] for s in slices_of(drive)] == [None]
    drive.session.delete("services", "default", "web")
    drive.run()
    assert drive.names(STORAGE) == [] and drive.names("endpoints") == []


def test_named_target_ports_and_headless_hostnames(drive):
    drive.create(
        "services",
        "db",
        {"spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 5432, "targetPort": "sql"}]}},
    )
    container = {"name": "a", "image": "a:1", "ports": [{"name": "sql", "containerPort": 6000}]}
    drive.pod(
        "db-0",
        node="n",
        ip="10.1.0.1",
        labels={"app": "db"},
        spec={"containers": [container], "hostname": "db-0", "subdomain": "db"},
    )
    drive.run()
    (found,) = slices_of(drive)
    assert found["ports"][0]["port"] == 6000 and found["endpoints"][0]["hostname"] == "db-0"
    assert found["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_endpoints_of_users_are_mirrored_for_services_without_selector(drive):
    drive.create("services", "ext", {"spec": {"ports": [{"port": 80}]}})
    drive.create("endpoints", "ext", {"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 8080}]}]})
    drive.run()
    (found,) = slices_of(drive)
    assert found["endpoints"][0]["addresses"] == ["192.0.2.1"] and found["ports"][0]["port"] == 8080
    assert found["metadata"]["labels"][slices.MANAGER_LABEL].startswith("endpointslicemirroring")
    drive.session.delete("endpoints", "default", "ext")
    drive.run()
    assert drive.names(STORAGE) == []


TEMPLATE = {"labels": {slices.SERVICE_LABEL: "web"}, "ownerReferences": [], "annotations": {}}


def endpoint(number, ready=True):
    return {"addresses": [f"10.0.{number // 250}.{number % 250}"], "conditions": {"ready": ready}}


def carry_out(changes, held):
    for name in changes.delete:
        del held[name]
    for obj in changes.update:
        held[obj["metadata"]["name"]] = obj
    for obj in changes.create:
        held[f"s{len(held)}-{id(obj)}"] = {**obj, "metadata": {**obj["metadata"], "name": f"s{len(held)}-{id(obj)}"}}


@given(st.lists(st.sets(st.integers(0, 400), max_size=350), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_slices_hold_exactly_what_is_wanted_and_no_more_than_a_hundred(generations):
    held: dict = {}
    for numbers in generations:
        wanted = slices.Wanted(
            "IPv4", [{"name": "", "port": 80, "protocol": "TCP"}], [endpoint(n) for n in sorted(numbers)]
        )
        carry_out(slices.plan([wanted], held.values(), TEMPLATE), held)
        found = [e["addresses"][0] for s in held.values() for e in s["endpoints"]]
        assert sorted(found) == sorted(endpoint(n)["addresses"][0] for n in numbers)
        assert all(len(s["endpoints"]) <= slices.LARGEST for s in held.values()) and held
        again = slices.plan([wanted], held.values(), TEMPLATE)
        assert not (again.create or again.update or again.delete)


def test_one_of_a_thousand_endpoints_costs_one_write():
    held: dict = {}
    ports = [{"name": "", "port": 80, "protocol": "TCP"}]
    carry_out(slices.plan([slices.Wanted("IPv4", ports, [endpoint(n) for n in range(1000)])], [], TEMPLATE), held)
    assert len(held) == 10
    changed = [endpoint(n, ready=n != 500) for n in range(1000)]
    changes = slices.plan([slices.Wanted("IPv4", ports, changed)], held.values(), TEMPLATE)
    assert (len(changes.create), len(changes.update), len(changes.delete)) == (0, 1, 0)

"""Job: its defaults, the selector that the server generates, and what of it may change."""

from __future__ import annotations

from typing import Any

from kube import clock
from kube import columns as c
from kube.conditions import is_true
from kube.errors import FieldError, invalid, required
from kube.kinds.apps.workload import MISMATCH, WorkloadStrategy, matches
from kube.kinds.batch.jobspec import check_job_spec, default_conditions
from kube.kinds.batch.jobstatus import check_job_status
from kube.kinds.pod.defaults import default_pod_template
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_label_selector, check_unchanged, dns1123_label

CONTROLLER_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_CONTROLLER_UID, OLD_JOB_NAME = "controller-uid", "job-name"
MAX_INT32 = 2**31 - 1
FIXED = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")
# What may change in the template of a suspended job that never started, beside labels and annotations.
SCHEDULING = ("nodeSelector", "tolerations", "schedulingGates")


class JobStrategy(WorkloadStrategy):
    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_template(spec.setdefault("template", {}))
        default_job_spec(spec)
        labels = spec["template"]["metadata"].get("labels")
        if labels and not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        if not obj["spec"].get("manualSelector"):
            generate_selector(obj)
        labels = obj["spec"]["template"]["metadata"].get("labels")
        if labels and not obj["metadata"].get("labels"):
            obj["metadata"]["labels"] = dict(labels)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec, name = obj["spec"], obj["metadata"].get("name", "")
        errors = _check_generated(obj) + check_job_spec(spec, "spec")
        if (selector := spec.get("selector")) is None:
            errors.append(required("spec.selector"))
        if wrong := check_label_selector("spec.selector", selector):
            errors += wrong
        elif not matches(selector, spec["template"]):
            labels = spec["template"].get("metadata", {}).get("labels")
            errors.append(invalid("spec.template.metadata.labels", labels, MISMATCH))
        # The pods of an indexed job get host names of their own: the longest must be a label.
        indexes = spec.get("completions") if spec.get("completionMode") == "Indexed" else None
        if indexes and (unfit := dns1123_label(f"{name}-{indexes - 1}")):
            message = f"will not able to create pod with invalid DNS label: {unfit[0]}"
            errors.append(invalid("metadata.name", name, message))
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        spec, before = obj["spec"], old["spec"]
        errors: list[FieldError] = []
        # Completions are fixed, except that an indexed job may be scaled together with its parallelism.
        completions = spec.get("completions")
        scaled = spec.get("completionMode") == "Indexed" and completions == spec.get("parallelism")
        if not scaled or completions is None or before.get("completions") is None:
            errors += check_unchanged("spec.completions", completions, before.get("completions"))
        errors += check_unchanged("spec.selector", spec.get("selector"), before.get("selector"))
        # Directives for the scheduler may still change while the job is suspended and no pod has run.
        template, template_before, status = spec["template"], before["template"], old.get("status") or {}
        if before.get("suspend") and (
            status.get("startTime") is None or (is_true(status, "Suspended") and not status.get("active"))
        ):
            pod, pod_before = template.get("spec") or {}, template_before.get("spec") or {}
            errors += check_unchanged("spec.template.spec", _unscheduled(pod), _unscheduled(pod_before))
        else:
            errors += check_unchanged("spec.template", template, template_before)
        for name in FIXED:
            errors += check_unchanged(f"spec.{name}", spec.get(name), before.get(name))
        return errors

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_job_status(obj, old)


def default_job_spec(spec: Json) -> None:
    """Defaults of a Job's spec; those of its template come from elsewhere."""
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = spec["parallelism"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", MAX_INT32 if spec.get("backoffLimitPerIndex") is not None else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    policy = spec.get("podFailurePolicy")
    spec.setdefault("podReplacementPolicy", "Failed" if policy is not None else "TerminatingOrFailed")
    default_conditions(policy)


def generate_selector(obj: Json) -> None:
    """Label the template with the job's uid and name, and select by uid. What the user set is left, to be refused."""
    spec, uid, name = obj["spec"], obj["metadata"]["uid"], obj["metadata"].get("name", "")
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for key, value in ((CONTROLLER_UID, uid), (JOB_NAME, name), (OLD_CONTROLLER_UID, uid), (OLD_JOB_NAME, name)):
        labels.setdefault(key, value)
    spec.setdefault("selector", {}).setdefault("matchLabels", {}).setdefault(CONTROLLER_UID, uid)


def _check_generated(obj: Json) -> list[FieldError]:
    """A generated selector must be as it was generated."""
    spec, uid, name = obj["spec"], obj["metadata"].get("uid", ""), obj["metadata"].get("name", "")
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    path = "spec.template.metadata.labels"
    labels = spec["template"].get("metadata", {}).get("labels") or {}
    expected = {
        OLD_CONTROLLER_UID: uid,
        OLD_JOB_NAME: name,
        CONTROLLER_UID: uid,
        JOB_NAME: name,
    }
    errors: list[FieldError] = []
    for key, value in expected.items():
        if key not in labels:
            errors.append(required(f"{path}[{key}]", f"must be '{value}'"))
        elif labels[key] != value:
            errors.append(invalid(f"{path}[{key}]", labels, f"must be '{value}'"))
    if not matches(selector, {"metadata": {"labels": expected}}):
        errors.append(invalid("spec.selector", selector, "`selector` not auto-generated"))
    return errors


def _unscheduled(pod: Json) -> Json:
    rest = {name: value for name, value in pod.items() if name not in SCHEDULING}
    affinity = {name: value for name, value in (pod.get("affinity") or {}).items() if name != "nodeAffinity"}
    rest["affinity"] = affinity
    return rest


def cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    wanted, parallelism = spec.get("completions"), spec.get("parallelism") or 0
    of = wanted if wanted is not None else f"1 of {parallelism}" if parallelism > 1 else 1
    start, end = status.get("startTime"), status.get("completionTime")
    return [
        obj["metadata"]["name"],
        _state(obj),
        f"{status.get('succeeded') or 0}/{of}",
        c.since(start, clock.parse(end) if end else now) if start else "",
        c.age(obj, now),
        *c.containers(spec.get("template")),
        c.selector(spec.get("selector")),
    ]


def _state(obj: Json) -> str:
    status = obj.get("status") or {}
    for condition, text in (("Complete", "Complete"), ("Failed", "Failed")):
        if is_true(status, condition):
            return text
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for condition in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if is_true(status, condition):
            return condition
    return "Running"


KIND = Kind(
    "batch",
    "v1",
    "Job",
    "jobs",
    categories=("all",),
    subresources=("status",),
    definition="io.k8s.api.batch.v1.Job",
    strategy=JobStrategy(),
    cells=cells,
    fields={"status.successful": lambda obj: str((obj.get("status") or {}).get("succeeded") or 0)},
    columns=(
        c.NAME,
        c.column("Status", description="Status of the job."),
        c.column("Completions", description="How many pods have succeeded, of how many that should."),
        c.column("Duration", description="Time required to complete the job."),
        c.AGE,
        c.column("Containers", description="Names of each container in the template.", wide=True),
        c.column("Images", description="Images referenced by each container in the template.", wide=True),
        c.column("Selector", description="Label query over pods that the job counts.", wide=True),
    ),
)

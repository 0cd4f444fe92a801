"""CronJob."""

from __future__ import annotations

import zoneinfo
from typing import Any

from kube import columns as c
from kube import cron
from kube.errors import FieldError, invalid, not_supported, required
from kube.kinds.apps.workload import name_warnings
from kube.kinds.batch.jobspec import check_job_spec, default_conditions
from kube.kinds.pod.defaults import default_pod_template
from kube.kinds.pod.warnings import template_warnings
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind
from kube.validation import check_choice, check_counts

# The controller appends a dash and a time of ten digits to make the name of a Job.
NAME_LIMIT = 63 - 11
COUNTS = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
POLICIES = ("Allow", "Forbid", "Replace")


class CronJobStrategy(ObjectStrategy):
    status = True
    generation = True

    def default(self, obj: Json) -> None:
        spec = obj.setdefault("spec", {})
        template = spec.setdefault("jobTemplate", {})
        template.setdefault("metadata", {})
        job = template.setdefault("spec", {})
        default_pod_template(job.setdefault("template", {}))
        default_conditions(job.get("podFailurePolicy"))
        spec["concurrencyPolicy"] = spec.get("concurrencyPolicy") or "Allow"
        spec.setdefault("suspend", False)
        spec.setdefault("successfulJobsHistoryLimit", 3)
        spec.setdefault("failedJobsHistoryLimit", 1)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec, name = obj["spec"], obj["metadata"].get("name", "")
        errors: list[FieldError] = []
        schedule = spec.get("schedule") or ""
        if not schedule:
            errors.append(required("spec.schedule"))
        elif "TZ" in schedule:
            message = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            errors.append(invalid("spec.schedule", schedule, message))
        else:
            try:
                cron.parse(schedule)
            except ValueError as error:
                errors.append(invalid("spec.schedule", schedule, str(error)))
        errors += _check_zone(spec.get("timeZone"))
        errors += check_counts(spec, "spec", COUNTS)
        errors += check_choice("spec.concurrencyPolicy", spec["concurrencyPolicy"], POLICIES)
        path, template = "spec.jobTemplate", spec["jobTemplate"]
        job = template.get("spec") or {}
        if job.get("manualSelector"):
            errors.append(not_supported(f"{path}.spec.manualSelector", True, ("nil", "false")))
        if job.get("selector") is not None:
            errors.append(invalid(f"{path}.spec.selector", job["selector"], "`selector` will be auto-generated"))
        errors += check_job_spec(job, f"{path}.spec")
        if len(name) > NAME_LIMIT:
            errors.append(invalid("metadata.name", name, f"must be no more than {NAME_LIMIT} characters"))
        return errors

    def warnings(self, obj: Json, old: Json | None, ctx: Context) -> list[str]:
        if old and old["spec"] == obj["spec"]:
            return []
        template = obj["spec"]["jobTemplate"]["spec"]["template"]
        return name_warnings(obj) + template_warnings(template, "spec.jobTemplate.spec.template")


def _check_zone(name: str | None) -> list[FieldError]:
    path = "spec.timeZone"
    if name is None:
        return []
    if not name:
        return [invalid(path, name, "timeZone must be nil or non-empty string")]
    if name.lower() == "local":
        return [
            invalid(path, name, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones")
        ]
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return [invalid(path, name, f"unknown time zone {name}")]
    return []


def cells(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    last = c.since(status["lastScheduleTime"], now) if status.get("lastScheduleTime") else c.NONE
    return [
        obj["metadata"]["name"],
        spec.get("schedule", ""),
        spec.get("timeZone") or c.NONE,
        "True" if spec.get("suspend") else "False",
        len(status.get("active") or ()),
        last,
        c.age(obj, now),
        *c.containers(job.get("template")),
        c.selector(job.get("selector")),
    ]


KIND = Kind(
    "batch",
    "v1",
    "CronJob",
    "cronjobs",
    short_names=("cj",),
    categories=("all",),
    subresources=("status",),
    definition="io.k8s.api.batch.v1.CronJob",
    strategy=CronJobStrategy(),
    cells=cells,
    columns=(
        c.NAME,
        c.column("Schedule", description="The schedule in Cron format."),
        c.column("Timezone", description="The time zone in which the schedule is read."),
        c.column("Suspend", "boolean", "Whether subsequent executions are suspended."),
        c.column("Active", "integer", "Number of jobs that run now."),
        c.column("Last Schedule", description="When a job was last scheduled."),
        c.AGE,
        c.column("Containers", description="Names of each container in the template.", wide=True),
        c.column("Images", description="Images referenced by each container in the template.", wide=True),
        c.column("Selector", description="Label query over pods that the jobs count.", wide=True),
    ),
)

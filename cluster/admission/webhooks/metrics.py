"""How webhooks answer, under the names of kube-apiserver. Names of webhooks are those that an administrator gave."""

from __future__ import annotations

from telemetry.counting import Metrics

METRICS = Metrics()
DURATION = METRICS.histogram(
    "apiserver_admission_webhook_admission_duration_seconds",
    "Seconds until an admission webhook had answered.",
    *("name", "type", "operation", "rejected"),
    bounds=(0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10, 25),
)
REQUESTS = METRICS.counter(
    "apiserver_admission_webhook_request_total",
    "Questions to admission webhooks, by how they were answered.",
    *("name", "type", "operation", "code", "rejected"),
)
REJECTIONS = METRICS.counter(
    "apiserver_admission_webhook_rejection_count",
    "Writes that were refused because of an admission webhook.",
    *("name", "type", "operation", "error_type", "rejection_code"),
)
FAIL_OPEN = METRICS.counter(
    "apiserver_admission_webhook_fail_open_count",
    "Failures of admission webhooks that were ignored, as they say.",
    *("name", "type"),
)
CONVERSIONS = METRICS.histogram(
    "apiserver_crd_conversion_webhook_duration_seconds",
    "Seconds until a conversion webhook had answered.",
    *("result", "failure_type"),
    bounds=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
)


def allowed(name: str, sort: str, operation: str, seconds: float) -> None:
    """A webhook let a write pass. `sort`: admit or validating."""
    _answered(name, sort, operation, seconds, 200, rejected=False)


def refused(name: str, sort: str, operation: str, seconds: float, code: int) -> None:
    """A webhook did not let a write pass, and gave a status with this code."""
    _answered(name, sort, operation, seconds, code, rejected=True)
    REJECTIONS.add(name, sort, operation, "no_error", str(code))


def failed(name: str, sort: str, operation: str, seconds: float, ignored: bool) -> None:
    """A webhook could not be asked, or gave no answer that can be read."""
    _answered(name, sort, operation, seconds, 500, rejected=not ignored)
    if ignored:
        FAIL_OPEN.add(name, sort)
    else:
        REJECTIONS.add(name, sort, operation, "calling_webhook_error", "500")


def _answered(name: str, sort: str, operation: str, seconds: float, code: int, rejected: bool) -> None:
    said = "true" if rejected else "false"
    DURATION.observe(seconds, name, sort, operation, said)
    REQUESTS.add(name, sort, operation, str(code if code < 600 else 600), said)

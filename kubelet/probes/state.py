"""What a row of probe results means."""

from __future__ import annotations

from dataclasses import dataclass

from kube.objects import Json


@dataclass
class ProbeState:
    """Turns single results into a verdict; a verdict changes after `failureThreshold` or `successThreshold` in a row.

    `verdict` starts as False for readiness and startup, as True for liveness.
    """

    verdict: bool
    success_threshold: int = 1
    failure_threshold: int = 3
    run: int = 0
    _last: bool | None = None

    @classmethod
    def of(cls, kind: str, probe: Json) -> ProbeState:
        threshold = 1 if kind != "readiness" else int(probe.get("successThreshold") or 1)
        return cls(kind == "liveness", threshold, int(probe.get("failureThreshold") or 3))

    def record(self, ok: bool) -> bool:
        """Notes a result; whether its row reached the threshold (the verdict is `ok` then)."""
        self.run = self.run + 1 if ok == self._last else 1
        self._last = ok
        if self.run < (self.success_threshold if ok else self.failure_threshold):
            return False
        self.verdict = ok
        return True

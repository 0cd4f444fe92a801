"""How long a crashed container waits: 10 s, doubled up to 5 min, forgotten after 10 min of running."""

from __future__ import annotations

from dataclasses import dataclass, field

FIRST, LONGEST, FORGET = 10.0, 300.0, 600.0


@dataclass
class CrashBackoff:
    """Per container name.  The first restart is at once; times are seconds on one clock."""

    first: float = FIRST
    longest: float = LONGEST
    _delays: dict[str, float] = field(default_factory=dict)

    def ready_at(self, name: str, started_at: float, finished_at: float) -> float:
        """When the container that ran in between may start again."""
        if finished_at - started_at >= FORGET:
            self._delays.pop(name, None)
        return finished_at + self._delays.get(name, 0.0)

    def delay(self, name: str) -> float:
        return self._delays.get(name, 0.0)

    def restarted(self, name: str) -> None:
        """Notes a restart: the next one waits longer."""
        last = self._delays.get(name)
        self._delays[name] = min(last * 2, self.longest) if last else self.first

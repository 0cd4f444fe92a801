"""What is counted, under the names that CoreDNS gives it, so that its dashboards and alerts work.

One thread counts: by adding to dictionaries, without locks.
"""

from __future__ import annotations

from typing import NamedTuple

from telemetry import counting
from telemetry.requests import Requests

DURATIONS = tuple(0.00025 * 2**i for i in range(16))
SIZES = (0, 100, 200, 300, 400, 511, 1023, 2047, 4095, 8291, 16e3, 32e3, 48e3, 64e3)
PROGRAMMING = tuple(0.001 * 2**i for i in range(20))
TYPES = {
    1: "A",
    2: "NS",
    5: "CNAME",
    6: "SOA",
    12: "PTR",
    15: "MX",
    16: "TXT",
    28: "AAAA",
    33: "SRV",
    35: "NAPTR",
    43: "DS",
    46: "RRSIG",
    47: "NSEC",
    48: "DNSKEY",
    64: "SVCB",
    65: "HTTPS",
    255: "ANY",
}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 16: "BADVERS"}


class About(NamedTuple):
    """What is counted of one question and its answer. `qtype` 0 when the packet could not be read."""

    zone: str
    proto: str
    family: str
    qtype: int
    do: bool
    rcode: int
    asked: int  # bytes
    answered: int  # bytes
    plugin: str


class Metrics(counting.Metrics):
    """The families. `server` is the label of that name: `dns://:53`."""

    def __init__(self, server: str) -> None:
        super().__init__()
        self.server, self._whole = server, (server, ".", "")
        by_zone = ("server", "zone", "view")
        self.requests = self.counter(
            "coredns_dns_requests_total", "Questions asked.", *by_zone, "proto", "family", "type"
        )
        self.secured = self.counter("coredns_dns_do_requests_total", "Questions with the DO bit set.", *by_zone)
        self.responses = self.counter("coredns_dns_responses_total", "Answers given.", *by_zone, "rcode", "plugin")
        self.durations = self.histogram(
            "coredns_dns_request_duration_seconds", "Time a question took.", *by_zone, bounds=DURATIONS
        )
        self.asked = self.histogram(
            "coredns_dns_request_size_bytes", "Size of questions.", *by_zone, "proto", bounds=SIZES
        )
        self.told = self.histogram(
            "coredns_dns_response_size_bytes", "Size of answers.", *by_zone, "proto", bounds=SIZES
        )
        self.api = Requests(self, "coredns_kubernetes_")
        labels = ("server", "zones", "view")
        self.hits = self.counter(
            "coredns_cache_hits_total", "Questions answered from a cache.", "server", "type", "zones", "view"
        )
        self.misses = self.counter("coredns_cache_misses_total", "Questions that no cache could answer.", *labels)
        self.lookups = self.counter("coredns_cache_requests_total", "Questions that a cache was asked for.", *labels)
        for family in (self.misses, self.lookups):
            family.set(0, *self._whole)
        for kind in ("success", "denial"):
            self.hits.set(0, self.server, kind, *self._whole[1:])
        self.forwards = self.counter("coredns_forward_requests_total", "Questions to upstream servers.", "to")
        self.replies = self.counter("coredns_forward_responses_total", "Answers of upstream servers.", "to", "rcode")
        self.forward_times = self.histogram(
            "coredns_proxy_request_duration_seconds",
            "Time upstream servers took.",
            "proxy_name",
            "to",
            "rcode",
            bounds=DURATIONS,
        )
        self.panics = self._from_zero("coredns_panics_total", "Questions that ended in an unforeseen error.")
        self.reloads_failed = self._from_zero("coredns_reload_failed_total", "Configurations that could not be used.")
        self.programming = self.histogram(
            "coredns_kubernetes_dns_programming_duration_seconds",
            "Time from a change of endpoints to the change of answers.",
            "service_kind",
            bounds=PROGRAMMING,
        )

    def _from_zero(self, name: str, text: str) -> counting.Family:
        family = self.counter(name, text)
        family.set(0)
        return family

    # -- counting -------------------------------------------------------------------------------------------------------

    def answered(self, about: About, seconds: float) -> None:
        self._count(about, 1)
        if about.plugin == "cache":
            self._hit(about, 1)
        else:
            self.misses.values[self._whole] += 1
            self.lookups.values[self._whole] += 1
        self.durations.histogram(self.server, about.zone, "").observe(seconds)

    def repeated(self, about: object, times: int) -> None:
        """Answers out of the answer cache, which take less than the shortest bucket."""
        if times and isinstance(about, About):
            self._count(about, times)
            self._hit(about, times)
            self.durations.histogram(self.server, about.zone, "").observe(0.00001, times)

    def _hit(self, about: About, times: int) -> None:
        self.hits.values[self.server, "denial" if about.rcode else "success", ".", ""] += times
        self.lookups.values[self._whole] += times

    def _count(self, about: About, times: int) -> None:
        # Types and sizes are the askers' to choose: they are grouped here, so that nobody can make this grow.
        server, zone, proto = self.server, about.zone, about.proto
        self.requests.values[server, zone, "", proto, about.family, TYPES.get(about.qtype, "other")] += times
        self.responses.values[server, zone, "", RCODES.get(about.rcode, "other"), about.plugin] += times
        self.secured.values[server, zone, ""] += times * about.do
        self.asked.histogram(server, zone, "", proto).observe(about.asked, times)
        self.told.histogram(server, zone, "", proto).observe(about.answered, times)

    def forwarded(self, server: tuple[str, int], rcode: int, seconds: float) -> None:
        to, code = f"{server[0]}:{server[1]}", RCODES.get(rcode, str(rcode))
        self._forward(to, code)
        self.forward_times.histogram("forward", to, code).observe(seconds)

    def forward_failed(self, server: tuple[str, int], why: str) -> None:
        self._forward(f"{server[0]}:{server[1]}", why)

    def _forward(self, to: str, how: str) -> None:
        self.forwards.values[to,] += 1
        self.replies.values[to, how] += 1

    def programmed(self, kind: str, seconds: float) -> None:
        """`kind` of service: headless_with_selector or headless_without_selector."""
        self.programming.histogram(kind).observe(seconds)

"""certificates.k8s.io/v1: CertificateSigningRequest.

Who asks is written down by the server. `/approval` writes the conditions Approved and Denied, `/status` the certificate
and the condition Failed; neither touches what the other one owns, and what was approved stays approved.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from kube import clock, selectors, users
from kube import columns as c
from kube.errors import FieldError, duplicate, forbidden, invalid, required
from kube.kinds.rbac import path_segment
from kube.objectmeta import ObjectStrategy
from kube.objects import Json
from kube.registry import Context, Kind, keep, register
from kube.validation import check, check_choice, check_unchanged, dns1123_subdomain

USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
DECISIONS = ("Approved", "Denied")
REQUESTOR = ("username", "uid", "groups", "extra")
SHORTEST = 600
SIGNER_LIMIT = 571
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)


class CertificateSigningRequestStrategy(ObjectStrategy):
    namespaced = False
    status = True
    name_check = staticmethod(path_segment)

    def prepare_create(self, obj: Json, ctx: Context) -> None:
        super().prepare_create(obj, ctx)
        spec, user = obj.setdefault("spec", {}), users.of(ctx.user)
        for name in REQUESTOR:
            spec.pop(name, None)
        spec["username"] = str(user)
        for name, value in (("uid", user.uid), ("groups", list(user.groups)), ("extra", dict(user.extra))):
            if value:
                spec[name] = value

    def prepare_update(self, obj: Json, old: Json, ctx: Context) -> None:
        keep(obj, old, "spec")
        keep(obj, old, "status")

    def prepare_status_update(self, obj: Json, old: Json, ctx: Context) -> None:
        super().prepare_status_update(obj, old, ctx)
        status = obj.setdefault("status", {})
        decided = [o for o in _conditions(old) if o.get("type") in DECISIONS]
        status["conditions"] = decided + [o for o in status.get("conditions") or () if o.get("type") not in DECISIONS]
        _stamp(status, old)

    def prepare_approval_update(self, obj: Json, old: Json, ctx: Context) -> None:
        wanted = (obj.get("status") or {}).get("conditions") or []
        keep(obj, old, "spec")
        obj["status"] = {**(old.get("status") or {}), "conditions": wanted}
        _stamp(obj["status"], old)

    def check_object(self, obj: Json, ctx: Context) -> list[FieldError]:
        spec = obj["spec"]
        errors: list[FieldError] = []
        request, usages = spec.get("request") or "", spec.get("usages") or []
        if _blocks(request, b"CERTIFICATE REQUEST"):
            from cryptography import x509

            try:
                x509.load_pem_x509_csr(base64.b64decode(request))
            except ValueError as error:
                errors.append(invalid("spec.request", request, str(error)))
        else:
            errors.append(invalid("spec.request", request, "PEM block type must be CERTIFICATE REQUEST"))
        if not usages:
            errors.append(required("spec.usages"))
        for i, usage in enumerate(usages):
            errors += check_choice(f"spec.usages[{i}]", usage, USAGES)
            if usage in usages[:i]:
                errors.append(duplicate(f"spec.usages[{i}]", usage))
        errors += check_signer(spec.get("signerName") or "", "spec.signerName")
        seconds = spec.get("expirationSeconds")
        if seconds is not None and seconds < SHORTEST:
            errors.append(
                invalid(
                    "spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"
                )
            )
        return errors

    def check_change(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        return check_unchanged("spec", obj.get("spec"), old.get("spec"))

    def check_status(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        new, before = (((o.get("status") or {}).get("certificate") or "") for o in (obj, old))
        errors = check_conditions(obj, old)
        if before and new != before:
            errors.append(forbidden("status.certificate", "updates may not change a certificate once set"))
        elif new and new != before and not _blocks(new, b"CERTIFICATE"):
            errors.append(
                invalid("status.certificate", "<certificate data>", "must contain at least one CERTIFICATE PEM block")
            )
        return errors

    def validate_approval_update(self, obj: Json, old: Json, ctx: Context) -> list[FieldError]:
        """Decisions may be added, not taken back, and not both."""
        return check_conditions(obj, old)


def _conditions(obj: Json) -> list[Json]:
    return (obj.get("status") or {}).get("conditions") or []


def _stamp(status: Json, old: Json) -> None:
    """Give conditions their times: of the update, and of the last change of status."""
    now, before = clock.now(), {o.get("type"): o for o in _conditions(old)}
    for condition in status.get("conditions") or ():
        condition.setdefault("lastUpdateTime", now)
        was = before.get(condition.get("type"))
        same = was is not None and was.get("status") == condition.get("status")
        condition.setdefault("lastTransitionTime", was["lastTransitionTime"] if same and was else now)


def check_conditions(obj: Json, old: Json) -> list[FieldError]:
    """Each condition once; decisions are only ever True, exclude each other, and stay."""
    path, kinds = "status.conditions", [o.get("type") for o in _conditions(obj)]
    errors: list[FieldError] = []
    for i, condition in enumerate(_conditions(obj)):
        kind, state = condition.get("type") or "", condition.get("status") or ""
        if not kind:
            errors.append(required(f"{path}[{i}].type"))
        elif kind in kinds[:i]:
            errors.append(duplicate(f"{path}[{i}].type", kind))
        if not state:
            errors.append(required(f"{path}[{i}].status"))
        elif kind in (*DECISIONS, "Failed"):
            errors += check_choice(f"{path}[{i}].status", state, ("True",))
        else:
            errors += check_choice(f"{path}[{i}].status", state, ("True", "False", "Unknown"))
    for kind in (*DECISIONS, "Failed"):
        if kind not in kinds and any(o.get("type") == kind for o in _conditions(old)):
            errors.append(forbidden(path, f'updates may not remove a condition of type "{kind}"'))
    if all(kind in kinds for kind in DECISIONS):
        errors.append(
            invalid(
                f"{path}[{kinds.index('Denied')}].type",
                "Denied",
                "Approved and Denied conditions are mutually exclusive",
            )
        )
    return errors


def _blocks(text: str, kind: bytes) -> bool:
    """Whether base64 text holds PEM blocks, all of a kind."""
    try:
        found = _PEM.findall(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False
    return bool(found) and all(block == kind for block in found)


def check_signer(name: str, path: str) -> list[FieldError]:
    """A signer: a domain with at least one dot, a slash and a name."""
    if not name:
        return [required(path)]
    domain, slash, rest = name.partition("/")
    if not slash or not domain or not rest:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    errors = check(path, domain, dns1123_subdomain)
    if "." not in domain:
        errors.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    errors += check(path, rest, dns1123_subdomain)
    if len(name) > SIGNER_LIMIT:
        errors.append(invalid(path, name, f"must be no more than {SIGNER_LIMIT} characters"))
    return errors


def cells(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    seconds = spec.get("expirationSeconds")
    kinds = [o.get("type") for o in _conditions(obj)]
    states = [kind for kind in (*DECISIONS, "Failed") if kind in kinds]
    if (obj.get("status") or {}).get("certificate"):
        states.append("Issued")
    return [
        obj["metadata"]["name"],
        c.age(obj, now),
        spec.get("signerName") or c.NONE,
        spec.get("username", ""),
        c.NONE if seconds is None else clock.human(seconds),
        ",".join(states) or "Pending",
    ]


register(
    Kind(
        "certificates.k8s.io",
        "v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
        namespaced=False,
        short_names=("csr",),
        subresources=("approval", "status"),
        strategy=CertificateSigningRequestStrategy(),
        definition="io.k8s.api.certificates.v1.CertificateSigningRequest",
        cells=cells,
        fields={"spec.signerName": selectors.field("spec", "signerName")},
        columns=(
            c.NAME,
            c.AGE,
            c.column("SignerName", description="The signer that is asked."),
            c.column("Requestor", description="Who asks."),
            c.column("RequestedDuration", description="How long the certificate should be valid."),
            c.column("Condition", description="What became of the request."),
        ),
    )
)

"""Groups below k8s.io are the community's: a CRD of one says who approved it, or that nobody did."""

from __future__ import annotations

from urllib.parse import urlsplit

from kube.objects import Json

ANNOTATION = "api-approved.kubernetes.io"
CONFORMANT = "KubernetesAPIApprovalPolicyConformant"
_COMMUNITY = ("k8s.io", "kubernetes.io")
_SEE = "see https://github.com/kubernetes/enhancements/pull/1111"


def is_protected(group: str) -> bool:
    """Whether a group is one of the community's."""
    return group in _COMMUNITY or group.endswith(tuple(f".{domain}" for domain in _COMMUNITY))


def text_of(crd: Json) -> str:
    """What a CRD says of its approval."""
    return (crd["metadata"].get("annotations") or {}).get(ANNOTATION) or ""


def judged(text: str) -> Json:
    """The condition that an approval leads to."""
    needed = f'protected groups must have approval annotation "{ANNOTATION}"'
    if not text:
        return _condition("False", "MissingAnnotation", f"{needed}, {_SEE}")
    if text.startswith("unapproved"):
        return _condition("False", "UnapprovedAnnotation", f'not approved: "{text}"')
    if _is_url(text):
        return _condition("True", "ApprovedAnnotation", f"approved in {text}")
    message = f'{needed} with either a URL or a reason starting with "unapproved", {_SEE}'
    return _condition("False", "InvalidAnnotation", message)


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    return bool(url.scheme and url.netloc)


def _condition(status: str, reason: str, message: str) -> Json:
    return {"type": CONFORMANT, "status": status, "reason": reason, "message": message}

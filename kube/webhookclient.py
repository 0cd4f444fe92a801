"""Where a webhook is: the `clientConfig` that admission webhooks and conversion webhooks share."""

from __future__ import annotations

from urllib.parse import urlsplit

from kube.errors import FieldError, forbidden, invalid, required
from kube.objects import Json
from kube.validation import dns1123_subdomain

DESIRED = "desired format: https://host[/path]"


def check_client(client: Json, path: str) -> list[FieldError]:
    """The errors of a `clientConfig` at `path`: a URL, or a service with its port and path."""
    url, service = client.get("url"), client.get("service")
    if url is not None and service is None:
        return check_url(url, f"{path}.url")
    if url is not None or service is None:
        return [required(path, "exactly one of url or service is required")]
    errors = [required(f"{path}.service.{name}") for name in ("name", "namespace") if not service.get(name)]
    if not 1 <= service.get("port", 443) <= 65535:
        errors.append(
            invalid(
                f"{path}.service.port", service["port"], "port is not valid: must be between 1 and 65535, inclusive"
            )
        )
    return errors + _check_path(service.get("path") or "", f"{path}.service.path")


def _check_path(text: str, path: str) -> list[FieldError]:
    """The path of a webhook in its service: segments that are subdomains."""
    if text in ("", "/"):
        return []
    if text == "//":
        return [invalid(path, text, "segment[0] may not be empty")]
    errors = [] if text.startswith("/") else [invalid(path, text, "must start with a '/'")]
    for i, segment in enumerate(text[1:].removesuffix("/").split("/")):
        faults = [f": {fault}" for fault in dns1123_subdomain(segment)] if segment else [" may not be empty"]
        errors += [invalid(path, text, f"segment[{i}]{fault}") for fault in faults]
    return errors


def check_url(url: str, path: str) -> list[FieldError]:
    """The address of a webhook: https, a host, and nothing that could carry secrets."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}; {DESIRED}")]
    errors: list[FieldError] = []
    if parts.scheme != "https":
        errors.append(invalid(path, parts.scheme, f"'https' is the only allowed URL scheme; {DESIRED}"))
    if not parts.netloc:
        errors.append(invalid(path, parts.netloc, f"host must be specified; {DESIRED}"))
    if parts.username or parts.password:
        errors.append(invalid(path, parts.netloc, "user information is not permitted in the URL"))
    if parts.fragment:
        errors.append(forbidden(path, "fragments are not permitted in the URL"))
    if parts.query:
        errors.append(forbidden(path, "query parameters are not permitted in the URL"))
    return errors

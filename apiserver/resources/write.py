"""POST, PUT and PATCH of objects."""

from __future__ import annotations

from typing import Any

from apiserver import converting, negotiation, render
from apiserver.request import OPTIONS, Request
from apiserver.response import Answer
from cluster.plan import Plan
from cluster.verbs import create as create_verb
from cluster.verbs import patch as patch_verb
from cluster.verbs import update as update_verb
from cluster.verbs.call import Call, Outcome
from kube import schema, yamltext
from kube.errors import (
    BadRequest,
    FieldError,
    Invalid,
    UnsupportedMediaType,
    forbidden,
    invalid,
    not_supported,
    required,
    too_long,
)
from kube.registry import Kind

APPLY = "application/apply-patch+yaml"
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    APPLY,
    "application/apply-patch+cbor",
)
MAX_MANAGER = 128  # bytes


def call_of(request: Request, kind: Kind) -> Call:
    """The call that a write request makes. Raises Invalid for bad options."""
    info = request.info
    return request.state.session(request.user).call(
        kind,
        info.namespace if kind.namespaced else "",
        info.name,
        info.subresource,
        dry_run=request.dry_run,
        field_manager=field_manager(request),
        field_validation=field_validation(request),
        force=request.flag("force"),
        warnings=request.warnings,
        annotations=request.noted,
    )


def field_validation(request: Request) -> str:
    """What to do with unknown fields. Raises Invalid."""
    mode = request.query("fieldValidation") or "Warn"
    if mode not in ("Ignore", "Warn", "Strict"):
        raise bad_options(request, [not_supported("fieldValidation", mode, ["", "Ignore", "Strict", "Warn"])])
    return mode


def field_manager(request: Request) -> str:
    """Who the fields of this write belong to: the option, else the program's name from User-Agent. Raises Invalid."""
    given = request.query("fieldManager")
    if len(given.encode()) > MAX_MANAGER:
        raise bad_options(request, [too_long("fieldManager", given, MAX_MANAGER)])
    if given and not given.isprintable():
        raise bad_options(request, [invalid("fieldManager", given, "should only contain printable characters")])
    return given or request.header(b"user-agent").partition("/")[0][:MAX_MANAGER] or "unknown"


def bad_options(request: Request, errors: list[FieldError]) -> Invalid:
    """The error for options of this write that are not valid."""
    return Invalid(OPTIONS.get(request.method, "CreateOptions"), "", errors, "meta.k8s.io")


async def body_of(request: Request, call: Call) -> dict[str, Any]:
    """The object in the body; fields that come twice are noted in the call, to be told with unknown ones. BadRequest."""
    raw = await request.body()
    sent = request.header(b"content-type")
    obj, call.problems = await negotiation.apart(lambda: schema.parse(raw, sent, call.kind.kind), raw, sent)
    if request.event is not None:
        request.event.about(obj)
    return obj


async def create(request: Request, kind: Kind) -> Answer:
    """POST of a new object."""
    call = call_of(request, kind)
    obj = await body_of(request, call)
    return await answer(request, kind, call, create_verb.plan(call, obj), 201)


async def update(request: Request, kind: Kind) -> Answer:
    """PUT of a whole object."""
    call = call_of(request, kind)
    obj = await body_of(request, call)
    return await answer(request, kind, call, update_verb.replace(call, obj))


async def patch(request: Request, kind: Kind) -> Answer:
    """PATCH of any of the known types."""
    call = call_of(request, kind)
    content_type, body = await patch_body(request)
    check_apply_options(request, content_type == APPLY)
    return await answer(request, kind, call, patch_verb.plan(call, body, content_type))


async def answer(request: Request, kind: Kind, call: Call, plan: Plan[Outcome], status: int = 0) -> Answer:
    """Carry out a write, and show its result; `status` is 201 for what was made and else 200, unless it is given."""
    view = request.view
    result = await converting.carried_out(kind, plan, request.state.store)
    status = status or (201 if result.created else 200)
    return await converting.apart(kind, lambda: render.outcome(kind, view, result, status, call.warnings))


def applies(request: Request) -> bool:
    """Whether a request is a server-side apply."""
    return request.method == "PATCH" and negotiation.media_type(request.header(b"content-type")) == APPLY


def check_apply_options(request: Request, applies: bool) -> None:
    """An apply says who applies; nothing else can be forced. Raises Invalid."""
    if applies and not request.query("fieldManager"):
        raise bad_options(request, [required("fieldManager", "is required for apply patch")])
    if not applies and request.query("force"):
        raise bad_options(request, [forbidden("force", "may not be specified for non-apply patch")])


async def patch_body(request: Request) -> tuple[str, Any]:
    """The type and the content of a patch, decoded for an apply. Raises UnsupportedMediaType, BadRequest."""
    content_type = negotiation.media_type(request.header(b"content-type"))
    if content_type not in PATCHES[:4]:
        raise UnsupportedMediaType("415: Unsupported Media Type", details={})
    body = await request.body()
    if content_type != APPLY:
        return content_type, body  # decoded where it is applied, with errors in the words of each type
    repeated: list[str] = []
    value = await negotiation.apart(lambda: negotiation.from_yaml(body, repeated), body, content_type)
    if not isinstance(value, dict):
        raise BadRequest(f"a patch of type {content_type} must be a JSON object")
    mode = field_validation(request)
    if repeated and mode == "Strict":
        text = f"error converting YAML to JSON: {yamltext.strict_error(repeated)}"
        raise BadRequest(f"error strict decoding YAML: {text}")
    if repeated and mode == "Warn":
        request.warnings.append(f"error converting YAML to JSON: {yamltext.strict_error(repeated)}")
    return content_type, value

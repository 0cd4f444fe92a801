"""The pages: the shell (everything in it arrives over the socket), login and logout, files, health and metrics.

Links are relative to the request's own path, so that the dashboard works under any prefix: `kubectl proxy`, the service
proxy of the API, or a reverse proxy that strips a path.
"""

from __future__ import annotations

import secrets

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from dashboard import acts, api, attempts, login, origin, statics
from dashboard.metrics import LOGINS, METRICS
from dashboard.source import sources
from telemetry import exposition
from web.http1 import METRICS as CONTENT_TYPE

PRE_SESSION = "binnacle_login"


def up_from(request: HttpRequest) -> str:
    """The relative way from this request's path to the root of the dashboard."""
    return "../" * (request.path_info.count("/") - 1) or "./"


@never_cache
@require_safe
def page(request: HttpRequest, path: str = "") -> HttpResponse:
    """Any page of the dashboard: the shell for who is logged in, else the login form in its place."""
    user = login.user_of(request.session)
    if user is None:
        return login_page(request)
    files = f"{up_from(request)}static/{statics.build()}/"
    return render(
        request,
        "dashboard/shell.html",
        {
            "files": files,
            "modules": statics.modules(),
            "root": up_from(request),
            "user": user.name,
            "ticket": origin.ticket(request.session.session_key or ""),
        },
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """For an address that is none, whoever asks."""
    root = up_from(request)
    paths = {"files": f"{root}static/{statics.build()}/", "root": root}
    return render(request, "dashboard/not_found.html", paths, status=404)


def login_page(request: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    """The login form. It carries a ticket bound to a cookie of its own, as there is no session yet."""
    key = request.COOKIES.get(PRE_SESSION) or secrets.token_urlsafe(24)
    wanted = request.POST.get("next") or request.get_full_path_info().lstrip("/")
    response = render(
        request,
        "dashboard/login.html",
        {
            "files": f"{up_from(request)}static/{statics.build()}/",
            "root": up_from(request),
            "problem": problem,
            "next": wanted[:2_000],
            "ticket": origin.ticket(key),
        },
        status=status,
    )
    response.set_cookie(PRE_SESSION, key, max_age=3600, httponly=True, samesite="Lax", secure=request.is_secure())
    response["Cache-Control"] = "no-store"
    return response


def _ours(request: HttpRequest, key: str | None) -> bool:
    hosts = [request.META.get("HTTP_HOST", ""), request.META.get("HTTP_X_FORWARDED_HOST", "")]
    from_us = origin.origin_fits(request.META.get("HTTP_ORIGIN") or request.META.get("HTTP_REFERER"), hosts)
    return from_us and origin.ticket_fits(key, request.POST.get("ticket", ""))


@csrf_exempt  # `_ours` does its work, and works behind `kubectl proxy` too
@require_http_methods(["GET", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Take a token or an account; on success go on to the page that was wanted. Who only looks is led to the form."""
    if request.method == "GET":
        return _go("")
    if not _ours(request, request.COOKIES.get(PRE_SESSION)):
        return login_page(request, "This form was not sent from here, or it is old. Please try again.", 403)
    token, name = request.POST.get("token", "").strip(), request.POST.get("name", "")[: login.MAX_NAME]
    account, address = attempts.TOKEN if token else name, attempts.address_of(request)
    counted = not login.unguessable(token)
    if counted and (wait := attempts.begin(account, address)):
        _refused(request, 429, account)
        response = login_page(request, attempts.sentence(wait), 429)
        response["Retry-After"] = str(wait)
        return response
    try:
        user = login.by_token(token) if token else login.by_account(request, name, request.POST.get("password", ""))
    except api.Unreachable as error:
        if counted:
            attempts.undone(account, address)
        words = f"The token could not be checked: {error}. A one-time token or an account still works."
        return login_page(request, words, 503)
    if user is None:
        _refused(request, 401, account)
        return login_page(request, "That did not match. Check the token or the account.", 401)
    if counted:
        attempts.succeeded(account, address)
    login.open_session(request.session, user, token)
    LOGINS.add("ok")
    acts.tell(request, acts.LOGIN, 303, user)
    return _go(request.POST.get("next", ""))


def _refused(request: HttpRequest, status: int, account: str) -> None:
    LOGINS.add("refused" if status == 429 else "failed")
    acts.refused(request, status, account if attempts.known(account) else "")


def _go(wanted: str) -> HttpResponse:
    """A relative redirect to a page of ours, whatever the prefix; anything else leads to the start."""
    safe = wanted if wanted.startswith("c/") and not set(wanted) & set("\\\r\n") else ""
    response = HttpResponse(status=303)
    response["Location"] = f"./{safe}"
    response["Cache-Control"] = "no-store"
    response.delete_cookie(PRE_SESSION)
    return response


@csrf_exempt
@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    """End the session; open sockets of it notice within seconds."""
    if not _ours(request, request.session.session_key):
        return HttpResponse("This was not sent from the dashboard's own page.", status=403)
    user = login.user_of(request.session)
    request.session.flush()
    acts.tell(request, acts.LOGOUT, 303, user)
    return _go("")


@require_safe
def static_file(request: HttpRequest, build: str, path: str) -> HttpResponse:
    """One file of the page."""
    asset = statics.assets().get(path)
    if asset is None:
        return HttpResponse("There is no such file.", status=404, content_type="text/plain")
    packed = asset.packed is not None and "gzip" in request.META.get("HTTP_ACCEPT_ENCODING", "")
    response = HttpResponse(asset.packed if packed else asset.plain, content_type=asset.type)
    response["Vary"] = "Accept-Encoding"
    if packed:
        response["Content-Encoding"] = "gzip"
    # A page of an older release may ask for its files by their old name: it gets the new ones, but must not keep them.
    response["Cache-Control"] = "public, max-age=31536000, immutable" if build == statics.build() else "no-store"
    return response


@require_GET
def healthz(request: HttpRequest) -> HttpResponseBase:
    """Whether this process serves: 200 when its readers of the log are current, else 503 with what is not."""
    late = [s.name for s in sources.opened() if s.cache.age > 10]
    text = f"the log of {', '.join(late)} cannot be read\n" if late else "ok\n"
    return HttpResponse(text, status=503 if late else 200, content_type="text/plain")


@require_GET
def metrics(request: HttpRequest) -> HttpResponseBase:
    """The process's own metrics for Prometheus; they name no object of a cluster."""
    return HttpResponse(exposition.render(METRICS), content_type=CONTENT_TYPE)

"""The admin site. Of the addons: how they are, their configuration, their switch, and the trail of what was done.

Separate from the dashboard, with permissions of its own: `addons.view_switch` to look, `addons.change_switch` to change. It
changes the ConfigMap that the addon manager follows, through the same pipeline as the API. Beside them stand the objects
and changes of the store, for who has `cluster.view_object` (see `cluster.admin`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.static import serve

from addons import rollout, status
from addons.catalogue import NAMESPACE, Addon, catalogue
from addons.events import SearchForm, event_row
from addons.forms import ConfigForm
from addons.models import AuditEntry
from addons.options import OptionError
from addons.passwords import LoginForm, PasswordView, with_wait
from addons.status import AddonStatus, Changed
from addons.usage import charts as charts_of
from addons.usage import cores, mebibytes, sampler
from cluster.admin import VIEW as VIEW_OBJECTS
from cluster.admin import ChangeAdmin, ObjectAdmin
from cluster.changes import Key
from cluster.models import Change, Object
from dashboard import acts
from dashboard.login import of_account
from kube.errors import ApiError

VIEW, CHANGE, VIEW_LOG = "addons.view_switch", "addons.change_switch", "addons.view_auditlog"
STATIC = Path(__file__).resolve().parent / "static" / "addons"
BRIEF, PAGE = 12, 50  # entries of the audit trail on an addon's page, and on a page of the trail

Context = dict[str, Any]


class AddonAdminSite(AdminSite):
    """Lists the addons, configures and switches them."""

    login_form = LoginForm
    site_header = site_title = "Binnacle"
    index_title = "Addons"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether somebody may come in; each page asks besides for its own permission."""
        also = (VIEW_OBJECTS, VIEW_LOG)
        return request.user.is_active and (may_see_addons(request) or any(map(request.user.has_perm, also)))

    def login(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        """As Django's; who has to wait is told so by the status too."""
        return with_wait(super().login(request, extra_context))

    def password_change(self, request: HttpRequest, extra_context: Context | None = None) -> TemplateResponse:
        """As Django's, within the bounds of a login."""
        context = {**self.each_context(request), **(extra_context or {})}
        template = self.password_change_template or "registration/password_change_form.html"
        view: Any = PasswordView.as_view(extra_context=context, template_name=template)
        response: TemplateResponse = view(request)
        return with_wait(response)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        def view(page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            def asked(request: HttpRequest, **names: str) -> HttpResponse:
                if not may_see_addons(request):
                    raise PermissionDenied
                return page(request, **names)

            return self.admin_view(asked)

        return [
            path("files/<path:path>", serve, {"document_root": STATIC}, name="file"),
            path("switch/<slug:name>/", view(require_POST(self.switch)), name="switch"),
            path("addon/<slug:name>/", view(require_http_methods(["GET", "HEAD", "POST"])(self.addon)), name="addon"),
            path("addon/<slug:name>/live/", view(require_GET(self.live)), name="live"),
            path("audit/", view(require_GET(self.audit)), name="audit"),
            path("events/", self.admin_view(require_GET(self.events)), name="events"),
            *super().get_urls(),
        ]

    def index(  # type: ignore[override] # may send elsewhere, where the site's own only renders
        self, request: HttpRequest, extra_context: Context | None = None
    ) -> HttpResponse:
        if not may_see_addons(request):
            if not request.user.has_perm(VIEW_OBJECTS):
                return redirect(f"{self.name}:events")
            return redirect(f"{self.name}:app_list", app_label="cluster")
        return render(
            request,
            "addons/index.html",
            {
                **self._context(request, self.index_title),
                "addons": status.all_addons(),
                "log": AuditEntry.objects.order_by("-id")[:BRIEF],
                **(extra_context or {}),
            },
        )

    def addon(self, request: HttpRequest, name: str) -> HttpResponse:
        """One addon: its state, and the form of its configuration."""
        found = status.of(_addon(name))
        if request.method != "POST":
            return self._page(request, found, ConfigForm(found.addon, found.values))
        self._may_change(request)
        posted = {key: str(value) for key, value in request.POST.items()}
        if reset := posted.get("reset"):
            # The form as it was sent, with one option, or all, back at its default; nothing is saved yet.
            defaults = found.addon.defaults
            back = defaults if reset == "*" else {reset: defaults[reset]} if reset in defaults else {}
            sent = {key: value for key, value in posted.items() if key in defaults}
            form = ConfigForm(found.addon, {**found.values, **sent, **back})
            return self._page(request, found, form, posted.get("seen", ""))
        form = ConfigForm(found.addon, found.values, posted)
        if not form.is_valid():
            return self._page(request, found, form, posted.get("seen", ""))
        return self._save(request, found, form, posted.get("seen", ""))

    def _save(self, request: HttpRequest, found: AddonStatus, form: ConfigForm, seen: str) -> HttpResponse:
        try:
            changes = status.change(found.addon, form.cleaned_data, request.user.get_username(), seen or "-")
        except Changed:
            now = status.of(found.addon)
            form.add_error(
                None,
                "Somebody else changed this configuration since you opened the page. Below is what you "
                "entered, beside each field what it is now. Save again to replace it.",
            )
            return self._page(request, now, form, conflict=True)
        except (OptionError, ApiError) as error:
            form.add_error(None, str(error))
            return self._page(request, found, form, seen)
        _tell(request, found.addon, [key for key, _, _ in changes])
        words = ", ".join(f"{key} from {old} to {new}" for key, old, new in changes)
        if changes:
            messages.success(request, f"Changed {words}. It is being rolled out.")
        else:
            messages.info(request, "Nothing was changed: these are the values that were there.")
        return redirect(f"{self.name}:addon", name=found.addon.name)

    def live(self, request: HttpRequest, name: str) -> HttpResponse:
        """The parts of an addon's page that move."""
        return render(request, "addons/moving.html", _moving(status.of(_addon(name))))

    def switch(self, request: HttpRequest, name: str) -> HttpResponse:
        self._may_change(request)
        addon = catalogue().get(name)
        if addon is None or request.POST.get("enabled") not in ("true", "false"):
            return HttpResponse(
                "enabled: must be true or false, for an addon that exists\n", status=400, content_type="text/plain"
            )
        try:
            changes = status.change(addon, {"enabled": request.POST["enabled"]}, request.user.get_username())
            _tell(request, addon, [key for key, _, _ in changes])
        except (OptionError, ApiError, Changed) as error:
            messages.error(request, f"{addon.title} was not switched: {error or 'others keep changing it; try again'}")
        if request.POST.get("next") == "addon":
            return redirect(f"{self.name}:addon", name=name)
        return redirect(f"{self.name}:index")

    def audit(self, request: HttpRequest) -> HttpResponse:
        """The audit trail, newest first; `?addon=` picks one."""
        rows = AuditEntry.objects.order_by("-id")
        if chosen := request.GET.get("addon", ""):
            rows = rows.filter(addon=chosen)
        page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
        return render(
            request,
            "addons/audit.html",
            {**self._context(request, "What was done"), "page": page, "names": list(catalogue()), "chosen": chosen},
        )

    def events(self, request: HttpRequest) -> HttpResponse:
        """The audit log, newest first, as far as one search reads."""
        if not request.user.has_perm(VIEW_LOG):
            raise PermissionDenied
        form = SearchForm(request.GET)
        found = form.found() if form.is_valid() else None
        rows = [event_row(event) for event in found.events] if found else []
        context = {"form": form, "rows": rows, "found": found, "older": form.older(found.cursor) if found else ""}
        return render(request, "addons/events.html", {**self._context(request, "Audit log"), **context})

    def logout(self, request: HttpRequest, extra_context: Context | None = None) -> TemplateResponse:
        user = of_account(request.user) if request.user.is_authenticated else None
        response = super().logout(request, extra_context)
        acts.tell(request, acts.LOGOUT, response.status_code, user)
        return response

    def _page(
        self, request: HttpRequest, found: AddonStatus, form: ConfigForm, seen: str = "", conflict: bool = False
    ) -> HttpResponse:
        now = found.values
        rows = [{**row, "now": now[row["option"].name]} for row in form.rows()]
        return render(
            request,
            "addons/addon.html",
            {
                **self._context(request, found.addon.title),
                "form": form,
                "rows": rows,
                "seen": seen or found.digest,
                "conflict": conflict,
                **_moving(found),
            },
        )

    def _context(self, request: HttpRequest, title: str) -> Context:
        may = {"may_change": request.user.has_perm(CHANGE), "may_see_log": request.user.has_perm(VIEW_LOG)}
        return {**self.each_context(request), "title": title, **may}

    def _may_change(self, request: HttpRequest) -> None:
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied


def may_see_addons(request: HttpRequest) -> bool:
    return request.user.has_perm(VIEW) or request.user.has_perm(CHANGE)


def _tell(request: HttpRequest, addon: Addon, keys: list[str]) -> None:
    """A change of an addon into the audit log: which options, not their values."""
    if keys:
        about, names = Key("configmaps", NAMESPACE, addon.config_name), {"binnacle/options": ", ".join(keys)}
        acts.tell(request, acts.PATCH, 302, of_account(request.user), about, names)


def _addon(name: str) -> Addon:
    if name not in catalogue():
        raise Http404(f"there is no addon {name}")
    return catalogue()[name]


def _moving(found: AddonStatus) -> Context:
    sampler.look()
    pods = status.pods(found)
    for pod in pods:
        if used := sampler.pods.get(pod["name"]):
            pod.update(cpu=cores(used.cpu), memory=mebibytes(used.memory))
    return {
        "found": found,
        "pods": pods,
        "warnings": status.warnings(found, status.cache()),
        "charts": charts_of(found.addon.name),
        "usage_problem": sampler.problem,
        "log": AuditEntry.objects.filter(addon=found.addon.name).order_by("-id")[:BRIEF],
        "ended": rollout.in_words(found.state.last),
    }


site = AddonAdminSite(name="addon_admin")
site.register(Object, ObjectAdmin)
site.register(Change, ChangeAdmin)

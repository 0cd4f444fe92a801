"""The admin site of the addons: their state, and the switch. Separate from the dashboard, with a permission of its own.

It changes the ConfigMap that the addon manager follows, through the same pipeline as the API, and leaves an entry in
Django's admin log for every change.
"""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, path
from django.views.decorators.http import require_POST

from addons import status
from addons.catalogue import Addon, catalogue
from addons.models import Switch

PERMISSION = "addons.change_switch"


class AddonAdminSite(AdminSite):
    """Lists the addons, and switches them."""

    site_header = site_title = "Binnacle addons"
    index_title = "Addons"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active and request.user.has_perm(PERMISSION)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [path("switch/<slug:name>/", self.admin_view(require_POST(self.switch)), name="switch"),
                *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {**self.each_context(request), "title": self.index_title, "addons": status.all_addons(),
                   "log": LogEntry.objects.select_related("user")[:20], **(extra_context or {})}
        return render(request, "addons/index.html", context)

    def switch(self, request: HttpRequest, name: str) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        addon = catalogue().get(name)
        if addon is None or request.POST.get("enabled") not in ("true", "false"):
            return HttpResponse("enabled: must be true or false, for an addon that exists\n", status=400)
        enabled = request.POST["enabled"] == "true"
        status.switch(addon, enabled, user=request.user.get_username())
        self._log(request, addon, "Switched on" if enabled else "Switched off")
        return redirect(f"{self.name}:index")

    def _log(self, request: HttpRequest, addon: Addon, message: str) -> None:
        LogEntry.objects.create(user=request.user, content_type=ContentType.objects.get_for_model(Switch),
                                object_id=addon.name, object_repr=addon.title, action_flag=CHANGE,
                                change_message=message)


site = AddonAdminSite(name="addon_admin")

"""Where Django answers: the dashboard's pages and the admin site of the addons."""

from __future__ import annotations

from django.urls import include, path

from addons.admin import site

urlpatterns = [
    path("admin/", site.urls),
    path("", include("dashboard.urls")),
]

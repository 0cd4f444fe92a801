"""Where Django answers: the dashboard's pages and the admin site of the addons."""

from __future__ import annotations

from pathlib import Path

from django.contrib import admin
from django.urls import include, path
from django.views.static import serve

from addons.admin import site

urlpatterns = [
    path("admin/static/<path:path>", serve, {"document_root": Path(admin.__file__).parent / "static"}),
    path("admin/", site.urls),
    path("", include("dashboard.urls")),
]

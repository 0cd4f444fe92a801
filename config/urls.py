"""Where Django answers: the dashboard's pages and the admin site of the addons."""

from __future__ import annotations

from pathlib import Path

from django.contrib import admin
from django.urls import include, path
from django.views.static import serve

from addons.admin import site
from config.settings import BASE_DIR

urlpatterns = [
    path("admin/static/<path:path>", serve, {"document_root": Path(admin.__file__).parent / "static"}),
    path(
        "admin/mark.svg", serve, {"document_root": BASE_DIR / "dashboard/static/img", "path": "mark.svg"}, name="mark"
    ),
    path("admin/", site.urls),
    path("", include("dashboard.urls")),
]
handler404 = "dashboard.views.not_found"

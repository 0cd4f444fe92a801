"""The dashboard's addresses. There is none that changes a cluster."""

from django.urls import path, re_path

from dashboard import logsearch_download, views

urlpatterns = [
    path("healthz", views.healthz),
    path("metrics", views.metrics),
    path("login", views.log_in),
    path("logout", views.log_out),
    path("static/<slug:build>/<path:path>", views.static_file),
    path("", views.page),
    path("c/<str:cluster>/logs/download", logsearch_download.download),
    re_path(r"^(?P<path>c/[a-z0-9][a-z0-9.-]{0,62}(/.*)?)$", views.page),
]

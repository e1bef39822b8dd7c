"""Addresses of the trail and its records."""

from django.urls import path, re_path

from audit import views
from audit.exports import views as export_views

app_name = "audit"
urlpatterns = [
    path("trail/", views.trail, name="trail"),
    path("trail/export/", views.export, name="export"),
    path("exports/", export_views.exports, name="exports"),
    path("exports/list/", export_views.exports_list, name="exports_list"),
    path("exports/<uuid:pk>/cancel/", export_views.cancel, name="cancel_export"),
    path("exports/<uuid:pk>/download/", export_views.download, name="download_export"),
    path("records/<uuid:pk>/", views.record, name="record"),
    path("records/<uuid:pk>/payload/", views.payload, name="payload"),
    re_path(
        r"^records/(?P<pk>[0-9a-f-]{36})/blobs/(?P<digest>[0-9a-f]{64})/$",
        views.blob,
        name="blob",
    ),
]

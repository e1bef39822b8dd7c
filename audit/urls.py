"""Addresses of the trail and its records."""

from django.urls import path, re_path

from audit import views
from audit.desk.urls import urlpatterns as desk
from audit.exports import views as export_views
from audit.outside import tile_views
from audit.retention import views as retention

app_name = "audit"
urlpatterns = [
    path("ledger/checkpoint", tile_views.newest, name="checkpoint"),
    path("ledger/tile/entries/<path:path>", tile_views.entries, name="entries"),
    path("ledger/tile/<str:level>/<path:path>", tile_views.tile, name="tile"),
    path("trail/", views.trail, name="trail"),
    path("trail/export/", views.export, name="export"),
    path("archive/", retention.archive, name="archive"),
    path("archive/holds/", retention.hold, name="hold"),
    path("archive/holds/<uuid:pk>/release/", retention.release, name="release"),
    path("archive/<str:month>/approve/", retention.approve_drop, name="approve_drop"),
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
    *desk,
]

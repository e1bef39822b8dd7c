"""Addresses of the trail and its records."""

from django.urls import path, re_path

from audit import views
from audit.desk.urls import urlpatterns as desk
from audit.outside import tile_views

app_name = "audit"
urlpatterns = [
    path("ledger/checkpoint", tile_views.newest, name="checkpoint"),
    path("ledger/tile/entries/<path:path>", tile_views.entries, name="entries"),
    path("ledger/tile/<str:level>/<path:path>", tile_views.tile, name="tile"),
    path("trail/", views.trail, name="trail"),
    path("trail/export/", views.export, name="export"),
    path("records/<uuid:pk>/", views.record, name="record"),
    path("records/<uuid:pk>/payload/", views.payload, name="payload"),
    re_path(
        r"^records/(?P<pk>[0-9a-f-]{36})/blobs/(?P<digest>[0-9a-f]{64})/$",
        views.blob,
        name="blob",
    ),
    *desk,
]

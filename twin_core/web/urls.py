"""Addresses of the review desk."""

from django.urls import path

from twin_core.web import status

app_name = "web"
urlpatterns = [
    path("live/status/", status.banner, name="status"),
]

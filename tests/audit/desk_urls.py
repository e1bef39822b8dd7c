"""Addresses for the tests of the record store's pages: these alone, at the root."""

from django.urls import include, path

urlpatterns = [path("", include("audit.urls"))]

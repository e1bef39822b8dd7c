"""Addresses of the registry's pages."""

from django.urls import path

from models_registry import views

app_name = "models_registry"
urlpatterns = [
    path("", views.models, name="models"),
    path("<uuid:pk>/", views.version, name="version"),
    path("<uuid:pk>/<slug:action>/", views.act, name="act"),
]

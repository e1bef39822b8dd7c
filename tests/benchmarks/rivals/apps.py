"""The rivals as a Django application."""

from django.apps import AppConfig


class Rivals(AppConfig):
    name = "tests.benchmarks.rivals"
    label = "rivals"
    default_auto_field = "django.db.models.BigAutoField"

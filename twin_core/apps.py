from django.apps import AppConfig


class TwinCoreConfig(AppConfig):
    name = "twin_core"
    verbose_name = "Twin core"
    default_auto_field = "django.db.models.BigAutoField"

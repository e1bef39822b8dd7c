from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = "Record store"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audit.outcomes import deadline

        deadline.install()

"""The worker as Celery runs it: JSON alone, one task at a time, results nowhere but in records."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "twin_core.config.settings")

app = Celery("twin_core")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["twin_core"])

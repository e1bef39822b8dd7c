"""Rows are held to their records, phases to the lifecycle table."""

from django.db import migrations

from audit.api import Grant, Regulated
from models_registry.triggers import REMOVE, lifecycle_guard


class Migration(migrations.Migration):
    dependencies = [("models_registry", "0001_initial")]

    operations = [
        Regulated("twinmodel"),
        Regulated("modelversion"),
        migrations.RunSQL(lifecycle_guard(), REMOVE),
        Grant("twinmodel", application="SELECT, INSERT, UPDATE", gate="SELECT", auditor="SELECT"),
        Grant("modelversion", application="SELECT, INSERT, UPDATE", gate="SELECT", auditor="SELECT"),
        Grant("trackingtask", application="SELECT, INSERT, UPDATE, DELETE"),
    ]

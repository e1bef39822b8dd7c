"""Rows are held to their record a statement at a time."""

from django.db import migrations

from audit.operations import Regulated


class Migration(migrations.Migration):
    dependencies = [
        ("models_registry", "0002_lifecycle"),
        ("audit", "0005_checked_by_statement"),
    ]

    operations = [Regulated("twinmodel"), Regulated("modelversion")]

"""Rows are held to their record a statement at a time; what did it row by row is gone."""

from django.db import migrations

from audit.api import Regulated

REGULATED = (
    "equipment",
    "configurationfile",
    "batch",
    "labresult",
    "quarantinedsample",
    "estimate",
    "forecast",
    "recommendation",
    "question",
    "setpointwrite",
)
DROP = """
DROP FUNCTION ledger_check_cited(uuid, text, uuid, jsonb, jsonb);
DROP FUNCTION ledger_check_newer(uuid, uuid);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("twin_core", "0002_guard_rails"),
        ("models_registry", "0003_checked_by_statement"),
        ("audit", "0005_checked_by_statement"),
    ]

    operations = [
        *(Regulated(model) for model in REGULATED),
        migrations.RunSQL(DROP, migrations.RunSQL.noop),
    ]

"""Records may be dropped after their time: the rows that cite them stay."""

from django.db import migrations

from audit.api import LooseCitation

REGULATED = (
    "batch",
    "configurationfile",
    "equipment",
    "estimate",
    "forecast",
    "labresult",
    "quarantinedsample",
    "question",
    "recommendation",
    "setpointwrite",
)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("twin_core", "0003_checked_by_statement")]

    operations = [
        *(LooseCitation(model, editable=False) for model in REGULATED),
        LooseCitation("datasegment"),
    ]

"""Records may be dropped after their time: the rows that cite them stay."""

from django.db import migrations

from audit.api import LooseCitation

REGULATED = (
    "modelversion",
    "twinmodel",
)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("models_registry", "0003_checked_by_statement")]

    operations = [
        *(LooseCitation(model, editable=False) for model in REGULATED),
    ]

"""Published checkpoints, deliveries and tokens; the sealer may see who signed a turn of its key."""

from django.db import migrations, models

from audit.fields import ClockTimestamp
from audit.operations import Grant, RefuseChange

KEPT = ("publication", "delivery", "token")
ROLES = {"application": "SELECT", "sealer": "SELECT, INSERT", "auditor": "SELECT"}


class Migration(migrations.Migration):
    dependencies = [("audit", "0011_epochs")]

    operations = [
        migrations.CreateModel(
            name="Publication",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tree_size", models.BigIntegerField(db_index=True)),
                ("note", models.TextField()),
                ("created_at", models.DateTimeField(db_default=ClockTimestamp())),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("store", models.CharField(max_length=300)),
                ("tree_size", models.BigIntegerField()),
                ("created_at", models.DateTimeField(db_default=ClockTimestamp())),
            ],
            options={
                "indexes": [models.Index(fields=["store", "-tree_size"], name="newest_of_a_store")],
            },
        ),
        migrations.CreateModel(
            name="Token",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("tree_size", models.BigIntegerField(db_index=True)),
                ("body", models.TextField()),
                ("response", models.BinaryField()),
                ("authority", models.TextField()),
                ("stamped_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=ClockTimestamp())),
            ],
        ),
        *(RefuseChange(name) for name in KEPT),
        *(Grant(name, **ROLES) for name in KEPT),
        Grant("signature", sealer="SELECT"),
    ]

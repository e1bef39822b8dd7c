"""Exports that are made in the background."""

import audit.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from audit.operations import Grant


class Migration(migrations.Migration):
    dependencies = [("audit", "0012_guards")]

    operations = [
        migrations.CreateModel(
            name='ExportJob',
            fields=[
                ('id', models.UUIDField(default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False)),
                ('cut', models.TextField()),
                ('state', models.CharField(choices=[('requested', 'Requested'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled'), ('deleted', 'Files deleted')], default='requested', max_length=20)),
                ('step', models.CharField(blank=True, max_length=40)),
                ('done', models.BigIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0)),
                ('slices', models.IntegerField(default=0)),
                ('seconds', models.FloatField(default=0)),
                ('asked_at', models.DateTimeField(db_default=audit.fields.ClockTimestamp())),
                ('seen_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('error', models.TextField(blank=True)),
                ('manifest', models.CharField(blank=True, max_length=64)),
                ('file_digest', models.CharField(blank=True, max_length=64)),
                ('file_size', models.BigIntegerField(default=0)),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [models.Index(fields=['state', 'id'], name='export_by_state')],
            },
        ),
        Grant("exportjob", application="SELECT, INSERT, UPDATE", auditor="SELECT"),
    ]

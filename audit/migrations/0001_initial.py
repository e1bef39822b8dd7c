"""The ledger's tables, the people, and the hashes that the database computes itself."""

import audit.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

HASHES = """
CREATE FUNCTION ledger_leaf(payload text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sha256('\\x00'::bytea || convert_to(payload, 'UTF8'));

CREATE FUNCTION ledger_block_hash(header text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sha256('\\x02'::bytea || convert_to(header, 'UTF8'));
"""

TABLES = """
CREATE TABLE audit_record (
    id uuid NOT NULL DEFAULT uuidv7() PRIMARY KEY,
    stream varchar(120) NOT NULL,
    kind varchar(120) NOT NULL,
    payload text COLLATE "C" NOT NULL,
    leaf bytea NOT NULL GENERATED ALWAYS AS (ledger_leaf(payload)) STORED,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT record_is_small CHECK (octet_length(payload) <= 32768),
    CONSTRAINT record_names_itself CHECK (
        payload::jsonb ->> 'stream' = stream AND payload::jsonb ->> 'kind' = kind)
) PARTITION BY RANGE (id);
CREATE INDEX audit_record_order ON audit_record (transaction, id);
CREATE INDEX audit_record_stream ON audit_record (stream, id);
CREATE INDEX audit_record_leaf ON audit_record (leaf);

CREATE TABLE audit_block (
    number bigint PRIMARY KEY,
    header text COLLATE "C" NOT NULL,
    leaves bytea NOT NULL,
    hash bytea NOT NULL GENERATED ALWAYS AS (ledger_block_hash(header)) STORED,
    first_sequence bigint NOT NULL
        GENERATED ALWAYS AS ((header::jsonb ->> 'first_sequence')::bigint) STORED UNIQUE,
    count integer NOT NULL GENERATED ALWAYS AS ((header::jsonb ->> 'count')::integer) STORED,
    transaction_from xid8 NOT NULL
        GENERATED ALWAYS AS ((header::jsonb ->> 'transaction_from')::xid8) STORED,
    transaction_below xid8 NOT NULL
        GENERATED ALWAYS AS ((header::jsonb ->> 'transaction_below')::xid8) STORED UNIQUE,
    CONSTRAINT block_is_its_header CHECK (
        number = (header::jsonb ->> 'number')::bigint AND octet_length(leaves) = 32 * count)
);
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL(HASHES + TABLES),
        migrations.CreateModel(
            name="Record",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        primary_key=True,
                        serialize=False,
                        editable=False,
                        db_default=audit.fields.UuidV7(),
                    ),
                ),
                ("stream", models.CharField(max_length=120)),
                ("kind", models.CharField(max_length=120)),
                ("payload", models.TextField(db_collation="C")),
            ],
            options={"managed": False},
        ),
        migrations.CreateModel(
            name="Block",
            fields=[
                ("number", models.BigIntegerField(primary_key=True, serialize=False)),
                ("header", models.TextField(db_collation="C")),
            ],
            options={"managed": False},
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('tree_size', models.BigIntegerField(primary_key=True, serialize=False)),
                ('note', models.TextField()),
                ('created_at', models.DateTimeField(db_default=audit.fields.ClockTimestamp())),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.UUIDField(default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False)),
                ('username', models.CharField(max_length=150, unique=True)),
                ('printed_name', models.CharField(max_length=200)),
                ('email', models.EmailField(blank=True, max_length=254)),
                ('is_active', models.BooleanField(default=True)),
                ('record', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='audit.record')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Blob',
            fields=[
                ('digest', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('content', models.BinaryField()),
                ('media_type', models.CharField(max_length=100)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('digest', models.Func(models.Func('content', function='sha256'), models.Value('hex'), function='encode', output_field=models.TextField()))), name='blob_is_its_digest')],
            },
        ),
        migrations.CreateModel(
            name='Signature',
            fields=[
                ('id', models.UUIDField(default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False)),
                ('meaning', models.CharField(max_length=60)),
                ('manifest', models.TextField()),
                ('signed_at', models.DateTimeField()),
                ('record', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='audit.record')),
                ('signed', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='audit.record')),
                ('signer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Tile',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('level', models.SmallIntegerField()),
                ('position', models.BigIntegerField()),
                ('hashes', models.BinaryField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('level', 'position'), name='one_tile_a_place')],
            },
        ),
        migrations.CreateModel(
            name='Credential',
            fields=[
                ('id', models.UUIDField(default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('password', 'Password'), ('code', 'One-time code')], max_length=20)),
                ('secret', models.TextField()),
                ('is_active', models.BooleanField(default=True)),
                ('last_step', models.BigIntegerField(null=True)),
                ('record', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='audit.record')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credentials', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_active', True)), fields=('user', 'kind'), name='one_active_credential_a_kind')],
            },
        ),
        migrations.CreateModel(
            name='RoleGrant',
            fields=[
                ('id', models.UUIDField(default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False)),
                ('role', models.CharField(choices=[('process_engineer', 'Process engineer'), ('qa_reviewer', 'QA reviewer'), ('qa_approver', 'QA approver'), ('validation_engineer', 'Validation engineer'), ('auditor', 'Auditor'), ('system_administrator', 'System administrator'), ('plant_operator', 'Plant operator')], max_length=40)),
                ('is_active', models.BooleanField(default=True)),
                ('record', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='audit.record')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='grants', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'role'), name='one_grant_a_role')],
            },
        ),
    ]

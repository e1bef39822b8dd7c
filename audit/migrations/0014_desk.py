"""The index beside the ledger, reviews of the trail, scopes of people."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import audit.fields
from audit.operations import Grant, Regulated
from audit.transitions import Transitions

# What is searched is folded once, in one place: compatibility forms and case are gone.
FUNCTIONS = r"""
CREATE FUNCTION desk_fold(said text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN casefold(normalize(said, NFKC) COLLATE "pg_unicode_fast") COLLATE "C";

CREATE FUNCTION desk_is_identifier(said text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (length(said) = 36 AND said ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
    OR (length(said) IN (64, 71) AND said ~ '^(sha256:)?[0-9a-f]{64}$');

-- What trigrams are taken of: in a database of locale C they are of ASCII letters and digits alone,
-- so every other character is spelled in these.
CREATE FUNCTION desk_grams(folded text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN encode(convert_to(folded, 'UTF8'), 'escape') COLLATE "C";

-- Every text and number that a record tells, but how it is stored and what it rests on.
CREATE FUNCTION desk_said(told jsonb) RETURNS TABLE (place bigint, said text)
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE ROWS 20 AS $$
    SELECT place, leaf #>> '{}'
    FROM jsonb_path_query(
        (told #- '{actor,id}'::text[] #- '{actor,kind}'::text[])
            - '{v,kind,occurred_at,source,parents}'::text[],
        'strict $.**') WITH ORDINALITY AS found (leaf, place)
    WHERE jsonb_typeof(leaf) IN ('string', 'number')
$$;

CREATE FUNCTION desk_words(told jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT desk_fold(told ->> 'kind') || E'\n'
        || translate(desk_fold(told ->> 'kind'), '._', '  ')
        || coalesce(E'\n' || string_agg(desk_fold(said), E'\n' ORDER BY place), '')
    FROM desk_said(told) WHERE NOT desk_is_identifier(said)
$$;

CREATE FUNCTION desk_about(told jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg(DISTINCT tag ORDER BY tag) FROM (
        VALUES ('stream ' || (told ->> 'stream')),
            ('family ' || split_part(told ->> 'stream', '/', 1)),
            ('kind ' || (told ->> 'kind')),
            ('actor ' || (told #>> '{actor,id}'))
        UNION ALL
        SELECT unnest(ARRAY[
            'subject ' || (change #>> '{subject,type}') || ' ' || (change #>> '{subject,id}'),
            'type ' || (change #>> '{subject,type}')])
        FROM jsonb_array_elements(told -> 'changes') AS change
        UNION ALL
        SELECT 'id ' || right(said, CASE length(said) WHEN 71 THEN 64 ELSE 71 END) FROM desk_said(told) WHERE desk_is_identifier(said)
    ) AS tags (tag) WHERE tag IS NOT NULL
$$;
"""

TABLES = """
CREATE TABLE audit_searchrow (
    sequence bigint PRIMARY KEY,
    bucket integer NOT NULL GENERATED ALWAYS AS ((sequence >> 14)::integer) STORED,
    record_id uuid NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL,
    kind varchar(120) NOT NULL,
    stream varchar(120) NOT NULL,
    actor_id text NOT NULL,
    actor_kind text NOT NULL,
    reason text COLLATE "C",
    about text[] NOT NULL,
    words text COLLATE "C" NOT NULL
);
-- One index answers every filter, alone or with others, in one bucket of successive rows: what
-- fits is never searched for in more than a bucket at a time, however common a word is.
CREATE INDEX audit_searchrow_found ON audit_searchrow USING gin (
    bucket twin_search.int4_ops, about,
    desk_grams(words) twin_search.gin_trgm_ops, desk_grams(reason) twin_search.gin_trgm_ops)
    WITH (gin_pending_list_limit = 256);

CREATE TABLE audit_searchedge (
    child bigint NOT NULL,
    parent bytea NOT NULL,
    PRIMARY KEY (parent, child)
);
CREATE INDEX audit_searchedge_child ON audit_searchedge (child);

CREATE TABLE audit_searchbucket (
    number integer PRIMARY KEY,
    count integer NOT NULL,
    recorded_from timestamptz NOT NULL,
    recorded_to timestamptz NOT NULL,
    last_sequence bigint NOT NULL,
    last_transaction xid8 NOT NULL,
    last_record uuid NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE audit_searchkind (kind varchar(120) PRIMARY KEY);
"""

GRANTS = """
GRANT SELECT ON audit_record, audit_block TO twin_indexer;
GRANT SELECT, INSERT, UPDATE, TRUNCATE
    ON audit_searchrow, audit_searchedge, audit_searchbucket, audit_searchkind TO twin_indexer;
GRANT SELECT ON audit_searchrow, audit_searchedge, audit_searchbucket, audit_searchkind
    TO twin_application, twin_auditor;
"""

JUDGED_WHILE_OPEN = """
CREATE FUNCTION audit_judged_while_open() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
BEGIN
    IF NOT EXISTS (
        SELECT FROM audit_trailreview WHERE id = NEW.review_id AND state = 'opened') THEN
        RAISE EXCEPTION 'review % is not open: its judgements stand', NEW.review_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $guard$;
CREATE TRIGGER audit_judged_while_open BEFORE INSERT OR UPDATE ON audit_reviewjudgement
    FOR EACH ROW EXECUTE FUNCTION audit_judged_while_open();
ALTER TABLE audit_reviewjudgement ENABLE ALWAYS TRIGGER audit_judged_while_open;
"""


def regulated(*fields):
    """Return the columns of a regulated table: key, what is given, citation."""
    key = ("id", models.UUIDField(default=audit.fields.uuid7, editable=False, primary_key=True, serialize=False))
    cited = ("record", models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="audit.record"))
    return [key, *fields, cited]


def person(related_name="+", **options):
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name=related_name, to=settings.AUTH_USER_MODEL, **options)


class Migration(migrations.Migration):
    dependencies = [("audit", "0010_evidence_outside")]

    operations = [
        migrations.RunSQL(FUNCTIONS + TABLES),
        migrations.CreateModel(
            name="SearchRow",
            fields=[
                ("sequence", models.BigIntegerField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=120)),
                ("stream", models.CharField(max_length=120)),
                ("about", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("words", models.TextField()),
            ],
            options={"managed": False, "db_table": "audit_searchrow"},
        ),
        migrations.CreateModel(
            name="SearchBucket",
            fields=[("number", models.IntegerField(primary_key=True, serialize=False))],
            options={"managed": False, "db_table": "audit_searchbucket"},
        ),
        migrations.CreateModel(
            name="TrailReview",
            fields=regulated(
                ("reviewer", person("reviews")),
                ("stream", models.CharField(blank=True, max_length=120)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("of_person", person(null=True)),
                ("remainder_of", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="remainders", to="audit.trailreview")),
                ("rules", models.CharField(max_length=64)),
                ("ranking", models.CharField(max_length=64)),
                ("cut", models.BigIntegerField()),
                ("state", models.CharField(choices=[("opened", "Open"), ("signed", "Signed"), ("abandoned", "Abandoned")], max_length=20)),
            ),
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="ReviewJudgement",
            fields=regulated(
                ("review", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="judgements", to="audit.trailreview")),
                ("entry", models.UUIDField()),
                ("verdict", models.CharField(choices=[("no_concern", "Seen, no concern"), ("finding", "Finding")], max_length=20)),
                ("words", models.TextField()),
            ),
            options={"constraints": [models.UniqueConstraint(fields=["review", "entry"], name="one_judgement_an_entry")]},
        ),
        migrations.CreateModel(
            name="StreamScope",
            fields=regulated(
                ("user", person("scopes")),
                ("stream", models.CharField(max_length=120)),
                ("is_active", models.BooleanField(default=True)),
            ),
            options={"constraints": [models.UniqueConstraint(fields=["user", "stream"], name="one_scope_a_stream")]},
        ),
        Regulated("trailreview"),
        Regulated("reviewjudgement"),
        Regulated("streamscope"),
        Transitions(
            "trailreview",
            column="state",
            start=["opened"],
            pairs=[("opened", "signed"), ("opened", "abandoned")],
        ),
        migrations.RunSQL(GRANTS + JUDGED_WHILE_OPEN),
        Grant("trailreview", application="SELECT, INSERT, UPDATE", auditor="SELECT"),
        Grant("reviewjudgement", application="SELECT, INSERT, UPDATE", auditor="SELECT"),
        Grant("streamscope", application="SELECT, INSERT, UPDATE", auditor="SELECT"),
    ]

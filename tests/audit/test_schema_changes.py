"""A change of the schema is a record, whoever made it."""

import pytest

from audit import api
from audit.models import Record

CHANGES = {
    "CREATE TABLE side_door (id integer)": "CREATE TABLE",
    "ALTER TABLE audit_record DISABLE TRIGGER ALL": "ALTER TABLE",
    "DROP TRIGGER audit_record_keep ON audit_record": "DROP TRIGGER",
    "GRANT UPDATE ON audit_record TO twin_application": "GRANT",
    'CREATE TABLE "odd ""name\n" (id integer)': "CREATE TABLE",
}


@pytest.mark.requirement("URS-AUD-001")
@pytest.mark.parametrize(("statement", "tag"), CHANGES.items())
def test_each_change_of_the_schema_leaves_a_canonical_record(ledger_db, as_role, statement, tag):
    before = set(Record.objects.values_list("pk", flat=True))
    superuser = as_role("superuser")
    superuser.execute(statement)
    superuser.commit()
    made = Record.objects.exclude(pk__in=before)
    assert made.exists()
    for record in made:
        told = api.content(record)  # raises for a text that is not canonical
        assert (told["kind"], told["data"]["tag"]) == ("audit.schema.changed", tag)
        assert told["actor"]["name"] == "postgres"

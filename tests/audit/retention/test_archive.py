"""Months are verified, written, closed; a bundle of a month stands for itself."""

import psycopg
import pytest

from audit import verifier
from audit.models import ArchivedMonth, Record
from audit.retention import archive
from audit.retention.refusing import RetentionRefused
from tests.audit.retention.old_months import OLD, as_json


@pytest.mark.requirement("URS-AUD-061")
def test_a_month_is_archived_as_a_bundle_that_verifies_alone(decades):
    row = decades.archive()
    assert (row.records, row.state) == (4, "archived")
    result = verifier.verify(decades.to / OLD, decades.settings.LEDGER_PUBLIC_KEY_FILE)
    assert result.ok, result.text
    assert result.facts["records"] == 4
    manifest = as_json(decades.to / OLD / "manifest.json")
    assert manifest["filters"] == {"month": OLD}
    told = Record.objects.get(kind="audit.partition.archived")
    assert row.manifest in told.payload
    assert row.retain_until.year == 2020  # five years after the month, for its batches


@pytest.mark.requirement("URS-AUD-061")
def test_an_archived_month_takes_no_record_any_more(decades, as_role):
    decades.archive()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="archived and closed"):
        decades.past(OLD, "test", first=50)


@pytest.mark.requirement("URS-AUD-061")
def test_the_present_month_is_not_archived_and_the_refusal_says_when(decades):
    month = f"{Record.objects.latest('recorded_at').recorded_at:%Y-%m}"
    with pytest.raises(RetentionRefused, match="not over before"):
        decades.archive(month)


@pytest.mark.requirement("URS-AUD-061")
def test_a_month_with_unsealed_records_is_not_archived(decades):
    decades.past(OLD, "test", first=50)
    with pytest.raises(RetentionRefused, match="sealed"):
        decades.archive()


@pytest.mark.requirement("URS-AUD-061")
def test_a_month_that_was_altered_is_not_archived_and_the_record_is_named(decades, as_role):
    superuser = as_role("superuser")
    superuser.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
    superuser.execute(
        "UPDATE audit_record SET payload = replace(payload, 'fact 1', 'fact 9') WHERE id = %s",
        [decades.keys[1]],
    )
    superuser.commit()
    with pytest.raises(RetentionRefused, match="changed after it was sealed"):
        decades.archive()
    assert not ArchivedMonth.objects.exists()


@pytest.mark.requirement("URS-AUD-061")
def test_an_interrupted_archive_goes_on_and_takes_the_finished_bundle(decades, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archive, "_record", killed)
        decades.archive()
    (decades.to / f".{OLD}.abc.part").mkdir()  # of a run that died while it wrote
    made = (decades.to / OLD / "manifest.sha256").read_text()
    row = decades.archive()
    assert made.startswith(row.manifest)
    assert not (decades.to / f".{OLD}.abc.part").exists()


@pytest.mark.requirement("URS-AUD-061")
def test_a_damaged_bundle_is_not_taken_for_the_archive(decades, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(archive, "_record", killed)
        decades.archive()
    records = decades.to / OLD / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b"fact 1", b"fact 2"))
    with pytest.raises(archive.BundleWrong, match="leaf"):
        decades.archive()


@pytest.mark.requirement("URS-AUD-061")
@pytest.mark.parametrize("role", ["application", "gate", "auditor"])
def test_only_the_sealers_role_closes_or_drops_a_month(decades, as_role, role):
    session = as_role(role)
    for call in (
        "ledger_close_month('2015-01', 4)",
        "ledger_drop_month('2015-01', uuidv7(), now(), '{}')",
        "ledger_make_months('2030-01-01', 1)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(f"SELECT {call}")
        session.rollback()


def test_a_month_cannot_be_closed_by_another_count_than_it_holds(decades, as_role):
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="holds 4 records"):
        as_role("sealer").execute("SELECT ledger_close_month('2015-01', 3)")

"""A month goes after its time alone, free of holds, with its bundle, by two persons."""

import json
from datetime import timedelta

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from audit import api, exports, ledger, signatures, verifier
from audit.models import DroppedRecord, Record, User
from audit.refusals import NotEntitled
from audit.retention import drops, holds, policies
from audit.retention.citation import RecordDropped
from audit.retention.refusing import RetentionRefused
from tests.audit.retention.old_months import OLD, POLICY, note_now


@pytest.mark.requirement("URS-AUD-063")
def test_a_month_is_dropped_and_the_ledger_stays_verifiable(decades):
    before = ledger.sequence_of(Record.objects.filter(stream="test").latest("id"))
    row = decades.dropped()
    assert (row.state, row.dropped) == ("dropped", 3)
    assert not Record.objects.filter(pk__in=[decades.keys[0], decades.keys[1]]).exists()
    result = decades.ledger.verify()
    assert result.ok, result.finding
    assert result.dropped == 3
    newest = Record.objects.filter(stream="test").latest("id")
    assert ledger.sequence_of(newest) == before
    assert api.inclusion.prove(newest).holds


@pytest.mark.requirement("URS-AUD-063")
def test_what_is_kept_for_ever_stays_with_its_text(decades):
    decades.dropped()
    kept = Record.objects.get(pk=decades.keys[2])
    assert kept.stream == "people" and ledger.is_intact(kept)


@pytest.mark.requirement("URS-AUD-063")
def test_a_dropped_month_still_takes_no_record_and_refuses_to_be_emptied(decades, as_role):
    decades.dropped()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="closed"):
        decades.past(OLD, "test", first=60)
    superuser = as_role("superuser")
    for change in ("TRUNCATE audit_record_201501", "DELETE FROM audit_record_201501"):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="is refused"):
            superuser.execute(change)
        superuser.rollback()


@pytest.mark.requirement("URS-AUD-063")
def test_after_a_drop_an_export_is_a_selection_that_verifies(decades, tmp_path):
    decades.dropped()
    exports.export(tmp_path / "all")
    exports.export(tmp_path / "some", filters=exports.Filters(stream="test"))
    for name in ("all", "some"):
        result = verifier.verify(tmp_path / name, decades.settings.LEDGER_PUBLIC_KEY_FILE)
        assert result.ok, result.text
        assert result.facts["scope"] == "selection"


def _early(decades):
    content = POLICY.replace(b"years: 5", b"years: 50")
    decades.sign_policy(content)


def _held(decades):
    decades.hold("stream", "batch/B-2")


def _held_by_kind(decades):
    decades.hold("kind", "test.fact")


def _held_by_person(decades):
    decades.hold("person", "tests")


def _held_wholly(decades):
    decades.hold("all")


def _bundle_gone(decades):
    (decades.to / OLD).rename(decades.to / "elsewhere")


def _bundle_damaged(decades):
    records = decades.to / OLD / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b"fact 1", b"fact 2"))


@pytest.mark.requirement("URS-AUD-064")
@pytest.mark.requirement("URS-AUD-062")
@pytest.mark.parametrize(
    ("hindrance", "reason"),
    [
        (_early, "retention is not over before 2065"),
        (_held, "held: stream batch/B-2"),
        (_held_by_kind, "held: kind"),
        (_held_by_person, "held: person"),
        (_held_wholly, "held: all"),
        (_bundle_gone, "holds no bundle"),
        (_bundle_damaged, "does not verify"),
    ],
)
def test_a_month_with_a_hindrance_is_not_dropped_though_two_approved(decades, hindrance, reason):
    decades.archive()
    decades.approve(OLD, decades.approver)
    decades.approve(OLD, decades.second)
    hindrance(decades)
    with pytest.raises(RetentionRefused, match=reason):
        decades.drop()
    assert Record.objects.filter(pk__in=decades.keys).count() == 4


@pytest.mark.requirement("URS-AUD-064")
def test_one_person_cannot_approve_twice(decades):
    decades.archive()
    decades.approve(OLD, decades.approver)
    with pytest.raises(NotEntitled, match="had a part"):
        decades.approve(OLD, decades.approver)
    with pytest.raises(RetentionRefused, match="1 of 2"):
        decades.drop()


@pytest.mark.requirement("URS-AUD-064")
def test_the_approval_of_one_month_does_not_serve_another(decades):
    decades.past("2015-02", "test")
    decades.ledger.seal()
    decades.archive(OLD)
    decades.archive("2015-02")
    decades.approve(OLD, decades.approver)
    decades.approve(OLD, decades.second)
    with pytest.raises(RetentionRefused, match="0 of 2"):
        decades.drop("2015-02")


@pytest.mark.requirement("URS-AUD-062")
def test_a_released_hold_stands_in_the_way_no_more_and_is_released_by_another_person(decades):
    decades.archive()
    hold = decades.hold("month", OLD)
    with pytest.raises(NotEntitled, match="had a part"):
        decades.release(hold, by=decades.second)
    assert "held" in str(drops.reasons_against(drops.facts_about(OLD)))
    decades.release(hold)
    assert drops.reasons_against(drops.facts_about(OLD)) == []


@pytest.mark.requirement("URS-AUD-062")
def test_a_hold_cannot_be_changed_or_set_again(decades):
    hold = decades.hold("month", OLD)
    before, hold.value = hold.state_fields(), "2016-01"
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        record = api.append(
            stream="ledger",
            kind="audit.hold.changed",
            subject=hold,
            old=before,
            new=hold.state_fields(),
        )
        hold.save(record=record)


@pytest.mark.parametrize(
    ("scope", "value", "matter", "reason"),
    [
        ("all", "x", "case", "names nothing else"),
        ("stream", " ", "case", "names what"),
        ("month", "2015", "case", "no month"),
        ("world", "x", "case", "no scope"),
        ("all", "", "", "matter"),
    ],
)
def test_a_hold_that_says_nothing_clear_is_refused(scope, value, matter, reason):
    with pytest.raises(holds.HoldRefused, match=reason):
        holds.view_of_setting(scope, value, matter)


@pytest.mark.requirement("URS-AUD-064")
def test_the_database_itself_refuses_a_drop_that_no_record_tells(decades, as_role):
    decades.archive()
    approval = decades.approve(OLD, decades.approver)
    decades.approve(OLD, decades.second)
    session = as_role("sealer")
    call = "SELECT ledger_drop_month('2015-01', %s, now(), %s)"
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="no record"):
        session.execute(call, [approval.pk, ["ledger", "people"]])


@pytest.mark.requirement("URS-AUD-064")
@pytest.mark.parametrize(
    ("hindrance", "reason"),
    [(_held, "a hold lies on it"), (_early, None)],
)
def test_the_database_itself_looks_for_holds(decades, monkeypatch, hindrance, reason):
    decades.archive()
    decades.approve(OLD, decades.approver)
    decades.approve(OLD, decades.second)
    hindrance(decades)
    monkeypatch.setattr(drops, "reasons_against", lambda facts: [])  # a program that errs
    if reason:
        with pytest.raises(IntegrityError, match=reason):
            decades.drop()
    else:
        decades.drop()  # what the archive promised is over: the longer policy is the program's
    assert (Record.objects.filter(pk=decades.keys[0]).exists()) is bool(reason)


@pytest.mark.requirement("URS-AUD-064")
def test_the_database_itself_counts_the_approvers(decades, monkeypatch):
    decades.archive()
    decades.approve(OLD, decades.approver)
    monkeypatch.setattr(drops, "reasons_against", lambda facts: [])
    with pytest.raises(IntegrityError, match="two persons"):
        decades.drop()


@pytest.mark.requirement("URS-AUD-063")
def test_records_removed_under_the_cover_of_a_drop_are_found(decades, as_role):
    decades.dropped()
    superuser = as_role("superuser")
    superuser.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
    superuser.execute(
        "WITH gone AS (DELETE FROM audit_record WHERE payload LIKE '%today 1%' RETURNING *) "
        "INSERT INTO audit_droppedrecord (id, month, leaf, transaction, recorded_at) "
        "SELECT id, '2015-01', leaf, transaction, recorded_at FROM gone"
    )
    superuser.commit()
    result = decades.ledger.verify()
    assert not result.ok
    assert "no record tells of a drop" in result.finding.what


@pytest.mark.requirement("URS-AUD-063")
def test_a_line_of_a_dropped_record_that_was_altered_is_found(decades, as_role):
    decades.dropped()
    superuser = as_role("superuser")
    superuser.execute("ALTER TABLE audit_droppedrecord DISABLE TRIGGER ALL")
    superuser.execute(
        "UPDATE audit_droppedrecord SET recorded_at = recorded_at + interval '1 day' WHERE id = %s",
        [decades.keys[0]],
    )
    superuser.commit()
    assert "index_digest" in decades.ledger.verify().finding.what


@pytest.mark.requirement("URS-AUD-063")
def test_nobody_but_the_drop_writes_lines_of_dropped_records(decades, as_role):
    for role in ("application", "sealer", "gate", "auditor"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_role(role).execute("DELETE FROM audit_droppedrecord")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_role(role).execute("INSERT INTO audit_droppedrecord (id) VALUES (uuidv7())")


@pytest.mark.requirement("URS-AUD-065")
def test_a_row_whose_record_was_dropped_is_still_shown_with_its_leaf(decades):
    user = User.objects.get(username="anna")
    leaf = bytes(user.record.leaf)
    _pretend_dropped(user.record)
    for found in (
        User.objects.get(pk=user.pk),
        User.objects.select_related("record").get(pk=user.pk),
    ):
        assert bytes(found.record.leaf) == leaf
        assert found.record.stream == f"archive/{OLD}"
        with pytest.raises(RecordDropped, match="archive/2015-01"):
            api.content(found.record)


@pytest.mark.requirement("URS-AUD-065")
def test_a_signature_whose_records_were_dropped_stays_valid_by_its_leaf(decades):
    made = decades.approver.user.signatures.first()
    assert signatures.shown(made).is_valid
    for record in (made.signed, made.record, made.proof):
        _pretend_dropped(record)
    again = type(made).objects.get(pk=made.pk)
    assert signatures.shown(again).is_valid
    again.manifest = again.manifest.replace('"leaf":"', '"leaf":"00')
    assert not signatures.shown(again).is_valid


def _pretend_dropped(record) -> None:
    """Put a record's line in place of the record, past every guard, as the test's superuser."""
    from tests.conftest import SERVICES

    with SERVICES.connect("superuser", connection.settings_dict["NAME"]) as superuser:
        superuser.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
        superuser.execute(
            "WITH gone AS (DELETE FROM audit_record WHERE id = %s RETURNING *) "
            "INSERT INTO audit_droppedrecord (id, month, leaf, transaction, recorded_at) "
            "SELECT id, %s, leaf, transaction, recorded_at FROM gone",
            [record.pk, OLD],
        )


def test_a_citation_of_a_record_that_never_was_is_an_error(db):
    user = User(username="x", printed_name="X", record_id=api.uuid7())
    with pytest.raises(Record.DoesNotExist, match="does not exist"):
        _ = user.record


@pytest.mark.requirement("URS-AUD-064")
def test_a_shorter_policy_does_not_shorten_what_was_promised(decades):
    decades.archive()
    decades.sign_policy(POLICY.replace(b"years: 5", b"years: 1"))
    assert drops.facts_about(OLD).retain_until.year == 2020
    assert policies.in_force().years_for([("batch/B-1", "x")]) == 1


def test_lines_of_one_transaction_across_two_months_keep_their_places(decades):
    """A block that holds records of a dropped month and of others stays exportable and provable."""
    note_now(1)
    decades.past("2015-03", "test", "batch/B-3")
    note_now(1)
    decades.ledger.seal()
    decades.dropped("2015-03")
    assert DroppedRecord.objects.count() == 2
    assert decades.ledger.verify().ok
    told = json.loads(Record.objects.get(kind="audit.partition.dropped").payload)["data"]
    assert told["dropped"] == 2 and told["last_dropped"] - told["first_dropped"] == 1


def test_the_clock_of_the_test_is_not_part_of_the_evidence(decades):
    decades.archive()
    shown = drops.shown_until(OLD)
    assert timedelta(0) <= timezone.now() - shown < timedelta(days=12)


@pytest.mark.requirement("URS-AUD-063")
def test_no_table_keeps_a_text_of_a_dropped_month(decades, as_role):
    superuser = as_role("superuser")
    superuser.execute(
        "INSERT INTO audit_searchrow (sequence, record_id, recorded_at, kind, stream, actor_id, "
        "actor_kind, about, words) VALUES (1, %s, now(), 'k', 's', 'a', 'process', '{}', %s)",
        [decades.keys[0], "old fact 0"],
    )
    superuser.commit()
    assert "audit_searchrow" in tables_that_hold(superuser, "old fact 0")
    superuser.rollback()
    decades.dropped()
    assert tables_that_hold(superuser, "old fact 0") == set()
    assert tables_that_hold(superuser, "old fact 2") == {"audit_record_201501"}  # of people


def tables_that_hold(session, text: str) -> set[str]:
    tables = session.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    ).fetchall()
    query = 'SELECT EXISTS (SELECT FROM "{}" held WHERE strpos(held::text, %s) > 0)'
    return {t for (t,) in tables if session.execute(query.format(t), [text]).fetchone()[0]}


@pytest.mark.requirement("URS-AUD-065")
def test_no_table_holds_a_record_by_a_constraint(ledger_db, as_role):
    found = as_role("superuser").execute(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' "
        "AND conparentid = 0 AND confrelid IN (SELECT 'audit_record'::regclass UNION ALL "
        "SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit_record'::regclass)"
    )
    assert found.fetchall() == []

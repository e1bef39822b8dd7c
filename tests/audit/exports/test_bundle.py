"""What is exported verifies elsewhere, whole or in part, and an altered ledger does not."""

import pytest
from django.db import transaction

from audit import api, exports, verifier
from audit.exports import cut, making
from audit.models import Record


def trusted(settings, folder):
    return verifier.verify(folder, trust=settings.LEDGER_PUBLIC_KEY_FILE)


@pytest.mark.requirement("URS-AUD-008")
def test_a_complete_export_verifies_with_the_one_file(filled, tmp_path, settings):
    exports.export(tmp_path / "bundle", reason="inspection")
    result = trusted(settings, tmp_path / "bundle")
    assert result.ok, result
    assert len((tmp_path / "bundle" / "records.jsonl").read_bytes().splitlines()) == 300


@pytest.mark.requirement("URS-AUD-008")
def test_a_selection_carries_proofs_and_verifies(filled, tmp_path, settings):
    exports.export(tmp_path / "bundle", filters=exports.Filters(stream="batch/B-1"))
    result = trusted(settings, tmp_path / "bundle")
    assert result.ok, result
    kept = (tmp_path / "bundle" / "records.jsonl").read_bytes().splitlines()
    assert len(kept) == Record.objects.filter(stream="batch/B-1").count()
    assert all(b'"stream":"batch/B-1"' in line for line in kept)


@pytest.mark.requirement("URS-AUD-008")
@pytest.mark.parametrize(
    ("filters", "place"),
    [({}, "records.jsonl line 9"), ({"stream": "batch/B-1"}, "records.jsonl line 3")],
)
def test_an_export_of_an_altered_ledger_fails_at_the_altered_record(
    filled, tmp_path, settings, as_role, filters, place
):
    owner = as_role("superuser")
    owner.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
    owner.execute(
        "UPDATE audit_record SET payload = replace(payload, '\"255/7\"', '\"255/9\"') "
        "WHERE payload LIKE '%\"255/7\"%'"
    )
    owner.commit()
    exports.export(tmp_path / "bundle", filters=exports.Filters(**filters))
    result = trusted(settings, tmp_path / "bundle")
    assert not result.ok
    assert result.facts["place"].startswith(place)


@pytest.mark.requirement("URS-AUD-009")
def test_an_export_is_a_record_itself(filled, tmp_path):
    digest = exports.export(tmp_path / "bundle", reason="inspection of 24 November")
    told = api.content(Record.objects.get(kind="audit.export.made"))
    assert told["reason"] == "inspection of 24 November"
    assert told["data"]["manifest"] == digest


def test_an_export_before_the_first_seal_is_refused(ledger_db, tmp_path):
    with pytest.raises(exports.ExportRefused, match="sealer"):
        exports.export(tmp_path / "bundle")


def test_an_export_does_not_overwrite_a_folder(filled, tmp_path):
    (tmp_path / "bundle").mkdir()
    with pytest.raises(exports.ExportRefused, match="exists"):
        exports.export(tmp_path / "bundle")


def test_a_person_is_found_by_id_alone(filled, tmp_path):
    person = api.Actor("person", "0190b6a0-7b1e-7000-8000-000000000001", "Ada")
    with transaction.atomic():
        api.append(stream="other", kind="test.fact.noted", actor=person)
    filled.seal()
    exports.export(tmp_path / "bundle", filters=exports.Filters(person=person.id))
    assert len((tmp_path / "bundle" / "records.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.requirement("URS-AUD-008")
def test_what_is_sealed_during_an_export_does_not_spoil_it(filled, tmp_path, settings, monkeypatch):
    cut_now = cut.cut_now

    def seal_meanwhile(*given, **named):
        made = cut_now(*given, **named)
        with transaction.atomic():
            api.append(stream="other", kind="test.fact.noted", reason="meanwhile")
        filled.seal()
        return made

    monkeypatch.setattr(making, "cut_now", seal_meanwhile)
    exports.export(tmp_path / "bundle")
    result = trusted(settings, tmp_path / "bundle")
    assert result.ok, result
    assert len((tmp_path / "bundle" / "records.jsonl").read_bytes().splitlines()) == 300

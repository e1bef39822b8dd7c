"""Records read as bytes: index lines in one go, small blocks together, altered ones singly."""

import random
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import transaction

from audit import api, chain, exports, verifier
from audit.exports import building, making, reading
from audit.exports.copies import lines
from audit.exports.index_lines import index_lines
from audit.exports.journal import JOURNAL
from audit.models import Block, Record

SEED = 20_261_125


def facts(chance, count):
    """Return made-up facts of records: ids, leaves, times and transactions."""
    start = chance.choice([0, 9, 10**6 - 3, 2**63 - 2000])
    return [
        (
            UUID(bytes=chance.randbytes(16)),
            chance.randbytes(32),
            reading.EPOCH + timedelta(microseconds=chance.randrange(-(10**15), 10**15)),
            start + number // 2,
        )
        for number in range(count)
    ]


@pytest.mark.requirement("URS-AUD-070")
@pytest.mark.parametrize("first", [0, 8, 95, 9_999, 2**53 - 40])
def test_index_lines_made_together_are_those_made_one_by_one(first):
    found = facts(random.Random(SEED + first), 40)
    together = index_lines(
        ids=b"".join(each[0].bytes for each in found),
        leaves=b"".join(each[1] for each in found),
        times=b"".join(
            ((each[2] - reading.EPOCH) // reading.MICROSECOND).to_bytes(8, "big", signed=True)
            for each in found
        ),
        xids=b"".join(each[3].to_bytes(8, "big") for each in found),
        first=first,
    )
    for place, line in enumerate(together.split(b"\n")[:-1]):
        identity, leaf, moment, xid = found[place]
        assert line == chain.index_line(
            id=identity, leaf=leaf, recorded_at=moment, sequence=first + place, transaction=xid
        )


def test_facts_of_different_numbers_are_refused():
    with pytest.raises(ValueError, match="same number"):
        index_lines(ids=bytes(16), leaves=bytes(64), times=bytes(8), xids=bytes(8), first=0)


@pytest.mark.requirement("URS-AUD-070")
def test_pages_go_over_blocks_and_blocks_over_pages(filled, monkeypatch):
    for page, span in ((2, 3), (100, 20_000), (7, 256)):
        monkeypatch.setattr(reading, "PAGE", page)
        monkeypatch.setattr(reading, "SPAN", span)
        last = Block.objects.order_by("-number").first()
        found = list(reading.pages(reading.blocks(-1, last.number)))
        order = Record.objects.order_by("transaction", "id")
        stored = [record.payload.encode() for record in order][: last.first_sequence + last.count]
        assert b"".join(each.payloads for each in found).split(b"\n")[:-1] == stored
        assert [each.first for each in found] == [
            sum(before.count for before in found[:place]) for place in range(len(found))
        ]


@pytest.mark.requirement("URS-AUD-070")
@pytest.mark.parametrize("change", ["DELETE FROM audit_record WHERE ", "INSERT"])
def test_a_missing_or_added_record_is_exported_as_it_stands_and_found(
    filled, tmp_path, settings, as_role, change
):
    owner = as_role("superuser")
    owner.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
    if change == "INSERT":
        owner.execute(
            "INSERT INTO audit_record (stream, kind, payload, transaction) SELECT stream, kind, "
            "replace(payload, '255/9\"', '255/9b\"'), transaction FROM audit_record "
            "WHERE payload LIKE '%\"255/9\"%'"
        )
    else:
        owner.execute(change + "payload LIKE '%\"255/9\"%'")
    owner.commit()
    exports.export(tmp_path / "bundle")
    assert not verifier.verify(tmp_path / "bundle", trust=settings.LEDGER_PUBLIC_KEY_FILE).ok


@pytest.mark.requirement("URS-AUD-074")
@pytest.mark.parametrize("harm", ["nothing", "tail", "part", "file"])
def test_an_export_goes_on_at_its_cut_after_a_kill_and_takes_over_nothing_altered(
    filled, tmp_path, settings, monkeypatch, harm
):
    monkeypatch.setattr(building, "PART", 1)
    monkeypatch.setattr(reading, "SPAN", 2)
    whole = exports.export(tmp_path / "whole", formats=("csv",))
    broken_off(tmp_path / "bundle", monkeypatch)
    work = tmp_path / ".bundle.part"
    assert (work / JOURNAL).read_bytes().count(b"\n") >= 3
    damage(work, harm)
    with transaction.atomic():
        api.append(stream="other", kind="test.fact.noted", reason="after the cut")
    filled.seal()
    with pytest.raises(exports.ExportRefused, match="another export"):
        exports.export(tmp_path / "bundle", reason="another")
    assert exports.export(tmp_path / "bundle", formats=("csv",)) != whole  # made at another time
    assert not work.exists()
    assert verifier.verify(tmp_path / "bundle", trust=settings.LEDGER_PUBLIC_KEY_FILE).ok
    for name in ("records.jsonl", "index.jsonl", "copies/records-0001.csv"):
        assert (tmp_path / "bundle" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


class Killed(BaseException):
    """The end of the process, as far as the files can tell."""


def broken_off(folder, monkeypatch):
    """Export until two copies are there, then stop as a killed process does."""

    def until(done, total):
        if (folder.parent / ".bundle.part" / "bundle" / "copies" / "records-0001.csv").exists():
            raise Killed

    with pytest.raises(Killed):
        exports.export(folder, formats=("csv",), progress=until)
    assert not folder.exists()


def damage(work, harm):
    """Alter what the killed process left."""
    records = work / "bundle" / "records.jsonl"
    if harm == "tail":
        records.write_bytes(records.read_bytes() + b"half a li")
    elif harm == "part":
        records.write_bytes(records.read_bytes().replace(b"255/7", b"255/8", 1))
    elif harm == "file":
        (work / "bundle" / "copies" / "records-0001.csv").write_text("sequence\n")


def test_nobody_works_beside_another(filled, tmp_path):
    with (
        making.alone(tmp_path / ".bundle.part"),
        pytest.raises(making.Busy, match="another process"),
    ):
        exports.export(tmp_path / "bundle")


@pytest.mark.requirement("URS-AUD-071")
def test_the_lines_of_a_selection_are_those_of_its_records(filled, tmp_path):
    exports.export(tmp_path / "bundle", filters=exports.Filters(stream="batch/B-1"))
    for line in lines.read(tmp_path / "bundle"):
        record = Record.objects.get(pk=line.id)
        assert record.payload.encode() == line.payload
        assert bytes(record.leaf).hex() == line.leaf
        assert api.sequence_of(record) == line.sequence

"""From advice back to the samples, by hash; and the same input gives the same bytes anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit import api as audit
from tests.twin_core.insight import played
from tests.twin_core.insight.played import advised, newest_forecast
from twin_core.data import segments
from twin_core.models import DataSegment, Estimate, Forecast, LabResult

ROOT = Path(__file__).resolve().parents[3]


def ancestors(record) -> dict[bytes, str]:
    """Return the leaf and kind of every record behind one, found through ``parents`` alone."""
    found: dict[bytes, str] = {}
    waiting = [bytes(record.leaf)]
    while waiting:
        leaf = waiting.pop()
        if leaf in found:
            continue
        parent = audit.by_leaf(leaf)
        assert parent is not None, f"no record has the leaf {leaf.hex()}"
        assert audit.is_intact(parent)
        content = audit.content(parent)
        found[leaf] = content["kind"]
        waiting += [bytes.fromhex(one) for one in content["parents"]]
    return found


def kinds(record) -> list[str]:
    return [audit.content(audit.by_leaf(leaf))["kind"] for leaf in parents(record)]


def parents(record) -> list[bytes]:
    return [bytes.fromhex(one) for one in audit.content(record)["parents"]]


@pytest.mark.requirement("URS-REC-001")
def test_advice_leads_back_to_every_laboratory_result_and_segment_by_hash(forecast):
    found = advised(forecast)
    assert found is not None
    assert parents(found.record) == [bytes(forecast.record.leaf)]
    assert parents(forecast.record) == [bytes(forecast.estimate.record.leaf)]
    behind = ancestors(found.record)
    results = {bytes(row.record.leaf) for row in LabResult.objects.select_related("record")}
    sealed = {bytes(row.record.leaf) for row in DataSegment.objects.select_related("record")}
    assert len(results) > 100 and sealed
    assert results | sealed <= set(behind)
    version = forecast.estimate.model_version
    assert bytes(version.record.leaf) in behind


@pytest.mark.requirement("URS-REC-001")
def test_the_record_of_sealed_segments_names_the_digest_of_what_is_stored(forecast):
    for segment in DataSegment.objects.select_related("record"):
        told = audit.content(segment.record)["data"]["segments"]
        assert segment.digest in {one["digest"] for one in told if one["id"] == str(segment.pk)}
        assert len(segments.read(segment)) == segment.count


@pytest.mark.requirement("URS-REC-001")
def test_a_later_estimate_cites_the_one_before_and_only_what_is_new(forecast):
    batch = forecast.batch
    late = played.laboratory.receive(
        batch, tag="glucose", value=21.0, unit="mM", sampled_h=97.0, received_h=98.5
    )
    later = played.forecast_made(batch, 98.5).estimate
    cited = parents(later.record)
    assert bytes(forecast.estimate.record.leaf) in cited
    assert bytes(late.record.leaf) in cited
    assert len(cited) == 3  # and the model version
    first = LabResult.objects.select_related("record").earliest("sampled_h")
    assert bytes(first.record.leaf) in ancestors(later.record)


@pytest.mark.requirement("URS-REC-001")
def test_a_result_of_an_unknown_model_version_is_refused(forecast):
    found = Estimate.objects.get()
    other = Estimate(
        batch=found.batch,
        model_version_id=audit.uuid7(),
        at_h=found.at_h,
        inputs=found.inputs,
        content=found.content,
    )
    with pytest.raises(IntegrityError, match="model_version"), transaction.atomic():
        record = audit.append(
            stream="batch/x",
            kind="twin_core.estimate.made",
            subject=other,
            new=other.state_fields(),
        )
        other.save(record=record)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert Estimate.objects.count() == 1


@pytest.mark.requirement("URS-REC-010")
def test_a_later_forecast_or_a_correction_leaves_the_issued_one_as_it_was(forecast):
    issued = audit.get_blob(forecast.content), forecast.state_fields()
    old = LabResult.objects.filter(tag="glucose").latest("sampled_h")
    played.laboratory.correct(
        old, value=30.0, unit="mM", received_h=98.5, actor=None, reason="diluted twice"
    )
    later = played.forecast_made(forecast.batch, 98.5)
    assert later.content != forecast.content
    again = Forecast.objects.get(pk=forecast.pk)
    assert (audit.get_blob(again.content), again.state_fields()) == issued
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        Forecast.objects.filter(pk=forecast.pk).update(status="undecided")


PROGRAM = """
import sys, django
django.setup()
from audit import api as audit
from tests.twin_core.insight.played import contents
print(*contents())
"""


@pytest.mark.requirement("URS-MOD-001")
def test_another_process_computes_the_same_bytes_from_the_stored_input(services, forecast):
    name = connection.settings_dict["NAME"]
    environment = {**os.environ, **services.environment(name), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = [forecast.estimate.content, newest_forecast().content]
    assert done.stdout.split()[-2:] == stored == played.contents()

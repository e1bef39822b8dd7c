"""The connector on a live plant: faults of its interface, broken links, restarts; nothing lost."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from threading import Thread

import pytest
from django.utils import timezone

from audit import api as audit
from tests.twin_core.plants import eventually, running
from twin_core.connect.intake import Intake
from twin_core.connect.service import Follower, Pace
from twin_core.data import limits, segments
from twin_core.models import Batch, JournalSample, LabResult, QuarantinedSample, TagStatus

FAST = 21_600.0  # 6 h of process time a second


@contextmanager
def following(asset, plant) -> Iterator[Follower]:
    """Run the connector's follower in a thread, as its process would."""
    tag_map, ready = limits.tag_map(asset), []

    def run():
        loop.run_until_complete(follow())

    async def follow():
        made = Follower(
            Intake(asset, tag_map, is_simulated=True),
            endpoint=plant.endpoint,
            certificates=plant.certificates,
            pace=Pace(every_s=0.2, seal_s=1.0, estimate_h=Decimal(6)),
        )
        ready.append(made)
        task = asyncio.ensure_future(made.run())
        while not made.stopped.is_set():
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    loop = asyncio.new_event_loop()
    thread = Thread(target=run, daemon=True)
    thread.start()
    eventually(lambda: ready)
    try:
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(ready[0].stopped.set)
        thread.join(timeout=30)


def stored():
    """Return (tag, sampling time) of every laboratory result that was taken over or held."""
    kept = {(r.tag, float(r.sampled_h)) for r in LabResult.objects.all()}
    held = {
        (row.tag, float(audit.decode(row.content.encode()).get("sampled_h", "nan")))
        for row in QuarantinedSample.objects.exclude(content__contains='"samples"')
    }
    return kept | held


def all_taken(plant):
    told = {(tag, round(at, 6)) for tag, at in plant.results()}
    return bool(told) and told <= {(tag, round(at, 6)) for tag, at in stored()}


FAULTS = [  # a server reports no value twice with one time: duplicates are the intake's own test
    ({"kind": "bad_quality"}, "quality is bad"),
    ({"kind": "uncertain_quality"}, "quality is uncertain"),
    ({"kind": "wrong_unit", "unit": "mM"}, "unit"),
    ({"kind": "nan"}, "value is nan"),
    ({"kind": "out_of_order"}, "out of order"),
    ({"kind": "future_time"}, "source time lies in the future"),
]


@pytest.mark.requirement("URS-CON-003")
@pytest.mark.requirement("URS-CON-004")
def test_every_fault_of_a_live_plant_is_quarantined_and_never_used(asset, tmp_path):
    with running(tmp_path, online_every_h=0.1) as plant, following(asset, plant):
        eventually(lambda: JournalSample.objects.filter(tag="ph").exists())
        for fault, reason in FAULTS:
            plant.spoil({"tag": "ph", **fault})
            entries = QuarantinedSample.objects.filter(tag="ph", reason__startswith=reason)
            eventually(entries.exists, what=reason)
        plant.spoil()
        told = TagStatus.objects.filter(tag="ph", quality="good")
        eventually(lambda: told.filter(source_time__lt=timezone.now()), what="a good value")
        others = QuarantinedSample.objects.filter(tag__in=["temperature", "volume"])
        assert not others.exists()
    batch = Batch.objects.get()
    segments.seal(batch)
    values = [
        point.value
        for segment in batch.segments.filter(tag="ph")
        for point in segments.read(segment)
    ]
    assert values
    assert all(5 <= value <= 9 for value in values)


@pytest.mark.requirement("URS-CON-005")
def test_a_broken_link_heals_and_no_laboratory_result_is_lost(asset, tmp_path):
    with running(tmp_path, speed=FAST) as plant, following(asset, plant) as follower:
        eventually(lambda: LabResult.objects.filter(sampled_h__gt=0).exists())
        plant.spoil({"kind": "drop_link", "tag": ""})
        eventually(lambda: not follower.was_linked)
        known = len(plant.results())
        eventually(lambda: len(plant.results()) > known + 7)
        plant.spoil()
        eventually(lambda: follower.was_linked and all_taken(plant))
    kinds = list(
        audit.Record.objects.filter(stream="equipment/BR-201", kind__contains="plant_link")
        .order_by("id")
        .values_list("kind", flat=True)
    )
    assert kinds[:3] == [
        "twin_core.plant_link.linked",
        "twin_core.plant_link.lost",
        "twin_core.plant_link.linked",
    ]
    assert not QuarantinedSample.objects.filter(reason__startswith="duplicate").exists()


@pytest.mark.requirement("URS-CON-005")
def test_a_restarted_plant_goes_on_in_the_same_batch_and_nothing_is_lost(asset, tmp_path):
    with running(tmp_path, speed=FAST) as plant, following(asset, plant) as follower:
        eventually(lambda: LabResult.objects.filter(sampled_h__gt=0).exists())
        plant.stop()
        eventually(lambda: not follower.was_linked)
        plant.start()
        known = len(plant.results())
        eventually(lambda: len(plant.results()) > known + 7 and all_taken(plant))
    assert [batch.plant_batch for batch in Batch.objects.all()] == ["BR-201-0001"]


@pytest.mark.requirement("URS-CON-005")
def test_a_connector_that_starts_later_takes_over_every_laboratory_result(asset, tmp_path):
    with running(tmp_path, speed=FAST) as plant:
        eventually(lambda: len(plant.results()) > 14)
        with following(asset, plant):
            eventually(lambda: all_taken(plant))
        taken = LabResult.objects.count()
        with following(asset, plant):  # from the beginning again: nothing is stored twice
            eventually(lambda: LabResult.objects.count() > taken and all_taken(plant))
    rows = [(r.tag, r.sampled_h) for r in LabResult.objects.all()]
    assert len(rows) == len(set(rows))

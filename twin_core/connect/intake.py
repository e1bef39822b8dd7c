"""From what a plant said to the journal, the laboratory's results and the quarantine."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import api as audit
from twin_core.connect.opcua import Change, Window
from twin_core.connect.timeline import Timeline
from twin_core.data import assets, batches, laboratory, quarantine, samples, segments
from twin_core.data.harmonise import NotUsable, Reading, Sample, harmonise
from twin_core.models import Batch, Equipment, QuarantinedSample, TagStatus
from twin_core.science.tag_map import Tag, TagMap
from twin_core.science.units import UnitMismatch, UnknownUnit, convert

RUNNING = "running"
Refusal = tuple[str, str, dict[str, str]]  # tag, reason, the reading as received
CLOCK = "process_time"  # kept as a series of its own: laboratory-only plants have a clock too
UNIT_CHANGED = "the unit changed while the value was taken"


class Intake:
    """Takes a plant's windows over; remembers the last accepted time of each tag."""

    def __init__(self, equipment: Equipment, tag_map: TagMap, *, is_simulated: bool) -> None:
        self.equipment, self.map, self.is_simulated = equipment, tag_map, is_simulated
        self.tags = dict(tag_map.tags) | readback_tags(tag_map)
        self.last: dict[str, datetime] = {}
        self.timeline = Timeline()
        self.standing: dict[str, Change] = {}  # what the controller holds, by read-back
        self.batch: Batch | None = None  # the one that ``last`` speaks of

    def take(self, window: Window, *, now: datetime | None = None) -> Batch | None:
        """Store everything that came, and return the batch it belongs to.

        What is stored is taken out of the window: when the record store goes away in between, the
        same window may be given again, and nothing is lost or counted twice.
        """
        now = now or timezone.now()
        batch = self._batch(window, now)
        self._begin(batch, window)
        self.timeline.add((at, h) for at, h in window.process.items() if is_process_time(h))
        good, refused, last = self._sort(window, now)
        if batch is None:
            refused += [(s.tag, "no batch is running", told(s)) for s in good]
            good = []
        else:
            good += self._clock(window, last)
        with transaction.atomic():
            if batch is not None and good:
                samples.keep(batch, good)
            self._quarantine(batch, refused)
            self._tell(window.changes, good)
        self.last, window.changes = last, []
        while window.results:
            self._result(batch, window.results[0])
            window.results.pop(0)
        if batch is not None and window.batch_state not in ("", RUNNING):
            segments.seal(batch)
            batches.close(batch, reason=f"the plant reports the batch {window.batch_state}")
        return batch

    def _begin(self, batch: Batch | None, window: Window) -> None:
        """Know what is stored of a batch that this process sees for the first time.

        A set point that stays over the change of batch is told by the plant no second time: what
        it stands at is taken as the first value of the new batch.
        """
        if batch is None or batch == self.batch:
            return
        stored = samples.newest(batch)
        self.last |= {tag: at for tag, (at, _) in stored.items()}
        if CLOCK in stored:
            self.timeline.add([stored[CLOCK]])
        told = {change.tag for change in window.changes}
        clock = [(h, at) for at, h in window.process.items() if is_process_time(h)]
        if not stored and clock:
            _, begun = min(clock)
            window.changes += [
                replace(change, source_time=begun, is_first=True)
                for tag, change in self.standing.items()
                if tag not in told
            ]
        self.batch = batch

    def _batch(self, window: Window, now: datetime) -> Batch | None:
        """Follow the plant's batch: start a new one, close the one that it has left."""
        batch = batches.running(self.equipment)
        if batch is not None and batch.plant_batch != window.batch_id:
            segments.seal(batch)
            batches.close(batch, reason=f"the plant has gone on to batch {window.batch_id}")
            batch = None
        seen = Batch.objects.filter(equipment=self.equipment, plant_batch=window.batch_id).exists()
        if batch is None and not seen and window.batch_id and window.batch_state == RUNNING:
            batch = batches.start(
                self.equipment,
                plant_batch=window.batch_id,
                started_at=now,
                attributes=dict(assets.of(self.equipment).attributes),
                is_simulated=self.is_simulated,
                reason="the plant reports a running batch",
            )
        return batch

    def _sort(
        self, window: Window, now: datetime
    ) -> tuple[list[Sample], list[Refusal], dict[str, datetime]]:
        """Return what may be used, what may not, and each tag's last accepted time then."""
        good: list[Sample] = []
        refused: list[Refusal] = []
        last = dict(self.last)
        for change in window.changes:
            if change.is_first and change.source_time == last.get(change.tag):
                continue
            reading = self._reading(change, window.units)
            if change.tag not in self.map.tags:
                self.standing[change.tag] = change
            try:
                tag = self.tags[change.tag]
                if len(window.units.get(change.tag, ())) > 1:
                    raise NotUsable(UNIT_CHANGED)
                sample = harmonise(reading, tag, now=now, last=last.get(change.tag))
            except NotUsable as why:
                refused.append((change.tag, str(why), reading.as_received()))
            else:
                last[change.tag] = sample.source_time
                good.append(sample)
        return good, refused, last

    def _clock(self, window: Window, last: dict[str, datetime]) -> list[Sample]:
        """Return the newest process time of the window, when it is newer than the last one."""
        at, hours = max(window.process.items(), default=(None, 0.0))
        known = last.get(CLOCK)
        if at is None or (known is not None and at <= known) or not is_process_time(hours):
            return []
        last[CLOCK] = at
        return [Sample(CLOCK, hours, "h", hours, "h", "good", at, hours)]

    def _reading(self, change: Change, units: Mapping[str, set[str]]) -> Reading:
        unit = " or ".join(sorted(units.get(change.tag, {""})))
        return Reading(
            tag=change.tag,
            value=change.value,
            unit=unit,
            quality=change.quality,
            source_time=change.source_time,
            process_h=self._process_h(change),
        )

    def _process_h(self, change: Change) -> float:
        """Return the plant's process time when the value was taken, nan where nobody can tell.

        A value that stood there before anything was known of the plant's clock counts from the
        first hour that is known.
        """
        hours = self.timeline.hours(change.source_time)
        if hours is None and change.is_first:
            hours = self.timeline.first_after(change.source_time)
        return float("nan") if hours is None else hours

    def _quarantine(self, batch: Batch | None, refused: Iterable[Refusal]) -> None:
        """Keep what may not be used: one entry for each tag and reason in a window."""
        groups: dict[tuple[str, str], list[dict[str, str]]] = {}
        for tag, reason, content in refused:
            groups.setdefault((tag, reason), []).append(content)
        for (tag, reason), contents in groups.items():
            for start in range(0, len(contents), 100):
                part = contents[start : start + 100]
                quarantine.put(
                    self.equipment,
                    batch=batch,
                    tag=tag,
                    reason=reason,
                    content={"samples": part},
                    count=len(part),
                )

    def _tell(self, changes: Iterable[Change], good: Iterable[Sample]) -> None:
        """Show the last reading of each tag, whatever its quality."""
        newest = {change.tag: change for change in changes}
        used = {sample.tag: sample for sample in good}
        for tag, change in newest.items():
            sample = used.get(tag)
            fits = sample is not None and sample.source_time == change.source_time
            TagStatus.objects.update_or_create(
                equipment=self.equipment,
                tag=tag,
                defaults={
                    "value": sample.value if sample and fits else None,
                    "unit": self.tags[tag].unit,
                    "quality": change.quality if fits else "bad",
                    "source_time": change.source_time,
                    "process_h": self.timeline.hours(change.source_time),
                    "received_at": datetime.now(UTC),
                },
            )

    def _result(self, batch: Batch | None, document: Mapping[str, Any]) -> None:
        """Store one laboratory result, or keep it in quarantine with the reason."""
        tag = self.map.tags.get(str(document.get("tag")))
        owner = batch
        if batch is None or batch.plant_batch != document.get("batch_id"):
            owner = Batch.objects.filter(
                equipment=self.equipment, plant_batch=str(document.get("batch_id"))
            ).first()
        try:
            if tag is None:
                raise NotUsable("the tag map does not know this tag")
            if owner is None:
                raise NotUsable("no batch of that name is followed")
            laboratory.receive(
                owner,
                tag=tag.tag,
                value=usable(document, tag),
                unit=tag.unit,
                sampled_h=document["sampled_h"],
                received_h=document["received_h"],
            )
        except (NotUsable, laboratory.ResultRefused, KeyError, TypeError, ValueError) as why:
            self._quarantine_result(owner, document, str(why))

    def _quarantine_result(
        self, batch: Batch | None, document: Mapping[str, Any], why: str
    ) -> None:
        content = {key: repr(value) for key, value in document.items()}
        text = audit.encode(content).decode()
        name = str(document.get("tag"))[:120]
        held = QuarantinedSample.objects.filter(equipment=self.equipment, tag=name, content=text)
        if not held.exists():
            quarantine.put(self.equipment, batch=batch, tag=name, reason=why, content=content)


def is_process_time(hours: Any) -> bool:
    is_number = isinstance(hours, int | float) and not isinstance(hours, bool)
    return is_number and 0 <= hours < float("inf")


def usable(document: Mapping[str, Any], tag: Tag) -> float:
    """Return a laboratory value in the tag's unit, or raise NotUsable."""
    value, unit = document["value"], document["unit"]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotUsable("value is not a number")
    if document["quality"] != "good":
        raise NotUsable(f"quality is {document['quality']}")
    if float(document["received_h"]) < float(document["sampled_h"]):
        raise NotUsable("received before it was sampled")
    try:
        converted = convert(value * tag.scale, unit, tag.unit)
    except (UnknownUnit, UnitMismatch) as error:
        raise NotUsable(f"unit: {error}") from error
    low, high = tag.limits
    if not low <= converted <= high:
        raise NotUsable(f"outside what {tag.tag} can be: {low} to {high} {tag.unit}")
    return converted


def readback_tags(tag_map: TagMap) -> dict[str, Tag]:
    """Return the read-backs of set points as tags: what the controller holds, as a time series."""
    return {
        point.tag: Tag(
            tag=point.tag,
            node=point.readback,
            source="online",
            unit=point.unit,
            scale=1.0,
            limits=point.limits,
            stale_after_h=float("inf"),
        )
        for point in tag_map.setpoints.values()
    }


def told(sample: Sample) -> dict[str, str]:
    """Return a usable sample as text, for quarantine."""
    return {
        "tag": sample.tag,
        "value": repr(sample.raw_value),
        "unit": sample.raw_unit,
        "source_time": sample.source_time.isoformat(),
        "process_h": repr(sample.process_h),
    }

"""Segments: packed and read back to the last bit, refused when a byte differs."""

import hashlib
import math
from datetime import UTC, datetime, timedelta

import pytest
import zstandard
from django.db import DatabaseError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import api as audit
from tests.twin_core import factories
from twin_core.data import samples, segments
from twin_core.data.harmonise import Sample
from twin_core.data.segments import Point, pack, unpack
from twin_core.models import DataSegment, JournalSample

MOMENTS = st.integers(0, 7 * 10**15).map(lambda us: segments.EPOCH + timedelta(microseconds=us))
HOURS = st.integers(0, 10**10).map(lambda micro: micro / 1e6)  # as process time is stored
VALUES = st.floats(allow_nan=False, allow_infinity=False)
POINTS = st.builds(Point, MOMENTS, HOURS, VALUES, VALUES, st.sampled_from(segments.QUALITIES))


@pytest.mark.requirement("URS-CON-006")
@settings(max_examples=200, deadline=None)
@given(points=st.lists(POINTS, max_size=20))
def test_what_is_packed_is_read_back_to_the_last_bit(points):
    found = unpack(pack(points))
    assert found == points
    signs = [[math.copysign(1, v) for v in (p.value, p.raw_value)] for p in found]
    assert signs == [[math.copysign(1, v) for v in (p.value, p.raw_value)] for p in points]
    assert pack(found) == pack(points)


@pytest.mark.requirement("URS-CON-006")
@settings(max_examples=100, deadline=None)
@given(points=st.lists(POINTS, min_size=1, max_size=5), cut=st.integers(1, 40))
def test_content_of_another_length_is_refused(points, cut):
    content = pack(points)
    with pytest.raises(ValueError, match="segment"):
        unpack(content[: -min(cut, len(content))])
    with pytest.raises(ValueError, match="samples does not have"):
        unpack(content + b"\0" * cut)


@pytest.mark.parametrize("content", [b"", b"TWS1", b"TWS2\0\0\0\0", b"not a segment"])
def test_content_of_another_format_is_refused(content):
    with pytest.raises(ValueError, match="not a data segment of version 1"):
        unpack(content)


@pytest.mark.requirement("URS-CON-006")
def test_a_changed_byte_of_a_stored_segment_is_found_when_it_is_read(desk):
    segment = DataSegment.objects.filter(batch=desk.batch, tag="temperature").first()
    content = bytearray(zstandard.ZstdDecompressor().decompress(bytes(segment.content)))
    content[-40] ^= 1
    segment.content = zstandard.ZstdCompressor().compress(bytes(content))
    with pytest.raises(ValueError, match="is damaged"):
        segments.read(segment)


@pytest.mark.requirement("URS-CON-006")
def test_the_database_refuses_to_change_or_remove_a_segment(desk):
    rows = DataSegment.objects.filter(batch=desk.batch)
    for act in (lambda: rows.update(digest="0" * 64), lambda: rows._raw_delete(rows.db)):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()
    assert all(len(segments.read(one)) == one.count for one in rows)


def sample(value: float, at: datetime, hours: float) -> Sample:
    return Sample("ph", value, "pH", value, "pH", "good", at, hours)


@pytest.mark.requirement("URS-CON-006")
def test_the_journal_is_sealed_by_one_record_and_late_samples_make_a_new_segment(desk):
    segments.seal(desk.batch)
    start, before = datetime.now(UTC), set(DataSegment.objects.values_list("pk", "digest"))
    later = [sample(7.0 + k / 100, start + timedelta(seconds=k), 168 + k) for k in range(3)]
    samples.keep(desk.batch, later)
    (made,) = segments.seal(desk.batch)
    assert not JournalSample.objects.filter(batch=desk.batch).exists()
    assert [point.value for point in segments.read(made)] == [7.0, 7.01, 7.02]
    told = audit.content(made.record)["data"]["segments"]
    content = zstandard.ZstdDecompressor().decompress(bytes(made.content))
    assert [one["digest"] for one in told] == [hashlib.sha256(content).hexdigest()]
    assert segments.seal(desk.batch) == [], "nothing is sealed twice"
    samples.keep(desk.batch, [sample(6.9, start - timedelta(hours=1), 100.0)])
    (late,) = segments.seal(desk.batch)
    assert late.pk != made.pk and float(late.from_h) == 100.0
    assert before < set(DataSegment.objects.values_list("pk", "digest"))


def test_a_sample_delivered_twice_is_in_the_journal_once(desk):
    at = datetime.now(UTC)
    samples.keep(desk.batch, [sample(7.0, at, 168.0)])
    samples.keep(desk.batch, [sample(7.3, at, 168.0)])
    found = JournalSample.objects.get(batch=desk.batch, tag="ph", source_time=at)
    assert found.value == 7.0
    assert factories.UNITS["ph"] == found.unit

"""The check before a value leaves: every reason against it, and nothing that slips through."""

from dataclasses import fields, replace
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_core.science.tag_map import WritePoint
from twin_core.write_gate.gate import Order, Permits, Plant, SignedBy, is_equal, refusals

POINT = WritePoint(
    tag="feed.rate",
    node="P/setpoint/feed.rate",
    readback="P/readback/feed.rate",
    unit="mL/h",
    limits=(0.0, 15.0),
    max_step=4.0,
    min_interval_h=5.5,
    tolerance=0.01,
    measured="feed.flow",
    writable=True,
)
CONTENT = "c" * 64
SIGNED = SignedBy("quinn", "approval", is_valid=True, is_author=False, covers=CONTENT)
ORDER = Order(
    tag="feed.rate",
    value=3.0,
    unit="mL/h",
    current=1.5,
    content=CONTENT,
    expires_h=84.0,
    signatures=(SIGNED,),
    signatures_needed=1,
    is_sealed=True,
    is_used=False,
    record_intact=True,
)
PLANT = Plant(
    process_h=80.0, batch="P-1", mode="remote", interlock_clear=True, held=1.5, last_change_h=60.0
)
PERMITS = Permits(
    write_back_enabled=True,
    trust_allows=True,
    configuration_refusals=(),
    batch="P-1",
    point=POINT,
)
PARTS = {Order: ORDER, Plant: PLANT, Permits: PERMITS}
REVIEW = replace(SIGNED, meaning="review")

# requirement, what is wrong, and the words that must name it
WRONG = [
    ("URS-WBK-001", {"write_back_enabled": False}, "switched off"),
    ("URS-WBK-001", {"trust_allows": False}, "trust level does not allow"),
    ("URS-WBK-009", {"configuration_refusals": ("x is not the file",)}, "x is not the file"),
    ("URS-WBK-009", {"point": None}, "not a write point"),
    ("URS-WBK-003", {"point": replace(POINT, writable=False)}, "not a write point"),
    ("URS-WBK-002", {"record_intact": False}, "record is not what was signed"),
    ("URS-WBK-002", {"is_sealed": False}, "not sealed"),
    ("URS-WBK-006", {"is_used": True}, "exists already"),
    ("URS-WBK-002", {"signatures": ()}, "0 valid signatures of 1"),
    ("URS-WBK-002", {"signatures": (replace(SIGNED, is_valid=False),)}, "0 valid signatures"),
    ("URS-WBK-002", {"signatures": (replace(SIGNED, is_author=True),)}, "0 valid signatures"),
    ("URS-WBK-002", {"signatures": (replace(SIGNED, covers="d" * 64),)}, "0 valid signatures"),
    ("URS-WBK-002", {"signatures": (SIGNED, SIGNED), "signatures_needed": 2}, "1 valid signature"),
    ("URS-WBK-002", {"signatures": (REVIEW,)}, "no signature with the meaning approval"),
    ("URS-WBK-003", {"value": nan}, "the value is nan"),
    ("URS-WBK-003", {"value": inf}, "the value is inf"),
    ("URS-WBK-003", {"value": -inf}, "the value is -inf"),
    ("URS-WBK-003", {"unit": "L/h"}, "the unit is L/h"),
    ("URS-WBK-003", {"value": 15.01, "held": 12.0, "current": 12.0}, "outside 0.0 to 15.0"),
    ("URS-WBK-003", {"value": -0.01}, "outside 0.0 to 15.0"),
    ("URS-WBK-003", {"value": 5.6}, "more than one step"),
    ("URS-WBK-004", {"held": None}, "holds now cannot be read"),
    ("URS-WBK-004", {"held": nan}, "holds now cannot be read"),
    ("URS-WBK-004", {"held": 1.6}, "holds 1.6, the signers were shown 1.5"),
    ("URS-WBK-004", {"current": None}, "the signers were shown None"),
    ("URS-WBK-004", {"process_h": None}, "process time cannot be read"),
    ("URS-WBK-004", {"process_h": nan}, "process time cannot be read"),
    ("URS-WBK-004", {"process_h": 84.01}, "expired at 84.00 h"),
    ("URS-WBK-003", {"last_change_h": 75.0}, "less than 5.5 h"),
    ("URS-WBK-003", {"last_change_h": nan}, "less than 5.5 h"),
    ("URS-WBK-004", {"plant_batch": "P-2"}, "runs batch P-2"),
    ("URS-WBK-004", {"plant_batch": None}, "runs batch None"),
    ("URS-WBK-004", {"mode": "local"}, "mode local"),
    ("URS-WBK-004", {"mode": None}, "mode None"),
    ("URS-WBK-004", {"interlock_clear": False}, "interlock is not clear"),
    ("URS-WBK-004", {"interlock_clear": None}, "interlock is not clear"),
]


def changed(**wrong):
    """Return order, plant and permits with the named fields changed."""
    if "plant_batch" in wrong:
        wrong = {"batch": wrong.pop("plant_batch"), **wrong}
        return ORDER, replace(PLANT, **wrong), PERMITS
    names = {kind: {f.name for f in fields(kind)} for kind in PARTS}
    made = []
    for kind, good in PARTS.items():
        mine = {k: v for k, v in wrong.items() if k in names[kind]}
        made.append(replace(good, **mine))
    return tuple(made)


@pytest.mark.requirement("URS-WBK-002")
def test_an_order_without_a_flaw_may_leave():
    assert refusals(ORDER, PLANT, PERMITS) == []


CASES = [
    pytest.param(wrong, words, id=f"{n:02d} {words}", marks=pytest.mark.requirement(requirement))
    for n, (requirement, wrong, words) in enumerate(WRONG)
]


@pytest.mark.parametrize(("wrong", "words"), CASES)
def test_each_flaw_alone_is_refused_and_named(wrong, words):
    (reason, *_) = found = refusals(*changed(**wrong))
    assert any(words in reason for reason in found), found
    assert reason


def test_every_fact_the_gate_looks_at_has_its_negative_case():
    covered = {name for _, wrong, _ in WRONG for name in wrong} | {"batch"}
    looked_at = {f.name for kind in PARTS for f in fields(kind)}
    # the tag only names the order; content and expiry are broken by what is compared with them
    assert looked_at - covered == {"tag", "content", "expires_h"}


@pytest.mark.requirement("URS-WBK-002")
def test_two_people_are_needed_where_two_signatures_are():
    second = replace(REVIEW, person="rosa")
    order = replace(ORDER, signatures=(second, SIGNED), signatures_needed=2)
    assert refusals(order, PLANT, PERMITS) == []


@pytest.mark.requirement("URS-WBK-002")
def test_the_approving_signature_itself_must_be_good():
    forged = replace(SIGNED, person="eve", is_valid=False)
    order = replace(ORDER, signatures=(REVIEW, forged))
    assert refusals(order, PLANT, PERMITS) == ["no signature with the meaning approval"]


NUMBERS = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-20, 20)
MAYBE = st.none() | NUMBERS


@pytest.mark.requirement("URS-WBK-003")
@given(value=NUMBERS, held=MAYBE, current=MAYBE, unit=st.sampled_from(["mL/h", "L/h", "ml/h", ""]))
def test_no_value_passes_that_is_not_within_range_step_and_unit(value, held, current, unit):
    order = replace(ORDER, value=value, current=current, unit=unit)
    if refusals(order, replace(PLANT, held=held), PERMITS):
        return
    assert isfinite(value)
    assert 0 <= value <= 15
    assert unit == "mL/h"
    assert held is not None and abs(value - held) <= 4.0 + 1e-9
    assert current is not None and abs(current - held) <= 0.01


@pytest.mark.requirement("URS-WBK-004")
@given(now=MAYBE, expires=NUMBERS, last=MAYBE)
def test_nothing_passes_that_is_stale_or_too_soon_after_the_last_write(now, expires, last):
    order = replace(ORDER, expires_h=expires)
    if refusals(order, replace(PLANT, process_h=now, last_change_h=last), PERMITS):
        return
    assert now is not None and isfinite(now)
    assert now <= expires
    assert last is None or now - last >= POINT.min_interval_h


PEOPLE = st.builds(
    SignedBy,
    person=st.sampled_from(["quinn", "rosa", "robin"]),
    meaning=st.sampled_from(["approval", "review", "rejection"]),
    is_valid=st.booleans(),
    is_author=st.booleans(),
    covers=st.sampled_from([CONTENT, "d" * 64, ""]),
)


@pytest.mark.requirement("URS-WBK-002")
@given(signatures=st.lists(PEOPLE, max_size=5), needed=st.sampled_from([1, 2]))
def test_nothing_passes_without_enough_good_signatures_of_different_people(signatures, needed):
    order = replace(ORDER, signatures=signatures, signatures_needed=needed)
    good = {
        made.person
        for made in signatures
        if made.is_valid and not made.is_author and made.covers == CONTENT
    }
    approvers = {made.person for made in signatures if made.meaning == "approval"} & good
    assert (refusals(order, PLANT, PERMITS) == []) == (len(good) >= needed and bool(approvers))


@pytest.mark.requirement("URS-WBK-006")
@given(
    used=st.booleans(),
    sealed=st.booleans(),
    intact=st.booleans(),
    enabled=st.booleans(),
    trusted=st.booleans(),
    batch=st.sampled_from(["P-1", "P-2", None]),
    mode=st.sampled_from(["remote", "local", "manual", "REMOTE", None]),
    clear=st.sampled_from([True, False, None, 1, "true"]),
)
def test_one_missing_condition_is_enough_to_refuse(
    used, sealed, intact, enabled, trusted, batch, mode, clear
):
    order = replace(ORDER, is_used=used, is_sealed=sealed, record_intact=intact)
    plant = replace(PLANT, batch=batch, mode=mode, interlock_clear=clear)
    permits = replace(PERMITS, write_back_enabled=enabled, trust_allows=trusted)
    every = (
        not used, sealed, intact, enabled, trusted, batch == "P-1", mode == "remote", clear is True
    )  # fmt: skip
    assert (refusals(order, plant, permits) == []) == all(every)


@pytest.mark.requirement("URS-WBK-005")
@pytest.mark.parametrize(
    ("held", "equal"),
    [(3.0, True), (3.01, True), (2.99, True), (3.02, False), (nan, False), (None, False)],
)
def test_a_read_back_value_is_compared_within_the_tolerance(held, equal):
    point = replace(POINT, tolerance=0.0101)
    assert is_equal(held, 3.0, point) is equal

"""States move only along their tables; every guard speaks for itself."""

from dataclasses import replace
from itertools import product

import pytest

from twin_core.lifecycle import batch, recommendation, setpoint_write, trust
from twin_core.lifecycle.recommendation import Facts, State
from twin_core.lifecycle.table import TransitionRefused

SOUND = Facts(now_h=100.0, expires_h=112.0)
ACTIONS = sorted({action for _, action in recommendation.TABLE})
OUTSIDE = [pair for pair in product(State, ACTIONS) if pair not in recommendation.TABLE]
BROKEN = {  # one fact each, and what is said
    "now_h": (112.01, "it expired at 112.00 h"),
    "signer_is_author": (True, "its author may not sign it"),
    "signer_has_signed": (True, "the same person has signed it already"),
    "signatures_needed": (2, "1 more signature"),
    "open_questions": (1, "wait for an answer"),
    "within_limits": (False, "outside the limits in force"),
    "model_in_force": (False, "model version is not in force"),
    "configuration_intact": (False, "configuration file is not the signed one"),
    "trust_allows": (False, "trust level does not allow it"),
    "batch_running": (False, "batch is not running"),
}


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.parametrize(("state", "action"), OUTSIDE)
def test_every_pair_outside_the_table_is_refused(state, action):
    with pytest.raises(TransitionRefused, match=str(state)):
        recommendation.advance(state, action, SOUND)


@pytest.mark.requirement("URS-REC-003")
def test_every_pair_of_the_table_leads_where_it_says():
    for (state, action), (target, _) in recommendation.TABLE.items():
        facts = replace(SOUND, read_back_equal=action != "deviate")
        assert recommendation.advance(state, action, facts) == target


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.parametrize("fact", BROKEN)
def test_each_broken_guard_stops_approval_and_says_why(fact):
    value, said = BROKEN[fact]
    with pytest.raises(TransitionRefused, match=said):
        recommendation.advance(State.PROPOSED, "approve", replace(SOUND, **{fact: value}))


@pytest.mark.requirement("URS-REC-003")
def test_all_reasons_are_listed_at_once():
    facts = replace(SOUND, **{fact: value for fact, (value, _) in BROKEN.items()})
    with pytest.raises(TransitionRefused) as refused:
        recommendation.advance(State.PROPOSED, "approve", facts)
    assert [said for _, said in BROKEN.values() if said not in str(refused.value)] == []


@pytest.mark.requirement("URS-REC-005")
def test_advice_is_fresh_at_its_last_moment_and_stale_one_moment_later():
    assert recommendation.is_fresh(replace(SOUND, now_h=112.0)) is None
    assert recommendation.is_fresh(replace(SOUND, now_h=112.000001)) is not None


@pytest.mark.requirement("URS-WBK-005")
def test_a_read_back_confirms_or_deviates_and_never_both():
    for state in (State.WRITTEN, State.UNKNOWN):
        equal, other = SOUND, replace(SOUND, read_back_equal=False)
        assert recommendation.advance(state, "confirm", equal) == State.CONFIRMED
        assert recommendation.advance(state, "deviate", other) == State.DEVIATION
        with pytest.raises(TransitionRefused):
            recommendation.advance(state, "confirm", other)
        with pytest.raises(TransitionRefused):
            recommendation.advance(state, "deviate", equal)
    assert (State.UNKNOWN, "write") not in recommendation.TABLE


@pytest.mark.requirement("URS-WBK-001")
def test_trust_rises_step_by_step_and_falls_at_once():
    assert trust.advance(trust.Level.MONITOR, "raise") == "advise"
    with pytest.raises(TransitionRefused):
        trust.advance(trust.Level.MONITOR, "raise to supervised_write")
    with pytest.raises(TransitionRefused):
        trust.advance(trust.ORDER[-1], "raise")
    assert trust.advance(trust.Level.SUPERVISED_WRITE, "lower to monitor") == "monitor"
    assert [trust.may_write(level) for level in trust.ORDER] == [False, False, True, True]
    assert [trust.may_advise(level) for level in trust.ORDER] == [False, True, True, True]


@pytest.mark.requirement("URS-REC-003")
@pytest.mark.parametrize("module", [batch, recommendation, setpoint_write])
def test_a_final_state_has_no_way_out_and_every_state_can_be_reached(module):
    ways = {(state, target) for (state, _), (target, _) in module.TABLE.items()}
    reached = set(module.START)
    while more := {target for state, target in ways if state in reached} - reached:
        reached |= more
    assert reached == set(module.State)
    assert {state for state, _ in ways} < set(module.State)

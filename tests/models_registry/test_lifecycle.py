"""The lifecycle's table and each of its guards, without a database."""

from dataclasses import replace
from itertools import product

import pytest

from models_registry.lifecycle import (
    ACTIONS,
    TRANSITIONS,
    DataSet,
    Facts,
    Phase,
    TransitionRefused,
    advance,
    phase_changes,
    shared_batches,
)

ROLES = ("process_engineer", "validation_engineer", "qa_reviewer", "qa_approver")
FORBIDDEN = sorted(set(product(Phase, ACTIONS)) - set(TRANSITIONS))
TRAINING = DataSet("a" * 64, {"B-1": "1" * 64, "B-2": "2" * 64})
TEST = DataSet("b" * 64, {"B-3": "3" * 64})
GOOD = Facts(
    signer_roles=frozenset(ROLES),
    is_signed=True,
    author_is_a_person=True,
    has_criteria=True,
    has_artefact=True,
    has_scores=True,
    test_openings=1,
    training=TRAINING,
    test=TEST,
    test_set="c" * 64,
    scored_set="c" * 64,
)
DRAFT = replace(GOOD, has_artefact=False, has_scores=False, test_openings=0, training=None)
TRAINED = replace(GOOD, has_scores=False, test_openings=0)
OPENED = replace(GOOD, has_scores=False)

FACTS_FOR = {
    "specify": DRAFT,
    "attach_training": replace(DRAFT, training=TRAINING),
    "train": TRAINED,
    "open_test_set": TRAINED,
    "attach_scores": OPENED,
}


def good_for(action):
    return FACTS_FOR.get(action, GOOD)


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize(("phase", "action"), sorted(TRANSITIONS))
def test_every_pair_of_the_table_is_accepted_with_good_facts(phase, action):
    assert advance(phase, action, good_for(action)) is TRANSITIONS[phase, action][0]


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize(("phase", "action"), FORBIDDEN)
def test_every_pair_outside_the_table_is_refused(phase, action):
    with pytest.raises(TransitionRefused, match=f"cannot {action}"):
        advance(phase, action, GOOD)


@pytest.mark.requirement("URS-REG-003")
def test_the_way_into_force_passes_every_phase_in_order():
    phase = Phase.DRAFTED
    passed = [phase]
    for action in ("specify", "train", "verify", "validate", "put_in_force"):
        phase = advance(phase, action, good_for(action))
        passed.append(phase)
    assert passed == ["drafted", "specified", "trained", "verified", "validated", "in_force"]


SIGNED = ("specify", "train", "verify", "validate", "put_in_force", "suspend", "retire")
FIRST_PHASE = {action: phase for phase, action in reversed(list(TRANSITIONS))}


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize("action", SIGNED)
def test_an_arrow_without_its_signature_is_refused(action):
    with pytest.raises(TransitionRefused, match="needs an electronic signature"):
        advance(FIRST_PHASE[action], action, replace(good_for(action), is_signed=False))


@pytest.mark.parametrize(
    ("action", "role"),
    [
        ("specify", "validation_engineer"),
        ("open_test_set", "validation_engineer"),
        ("verify", "validation_engineer"),
        ("validate", "qa_approver"),
        ("put_in_force", "qa_approver"),
        ("retire", "qa_approver"),
        ("give_way", "qa_approver"),
    ],
)
@pytest.mark.requirement("URS-REG-003")
def test_an_arrow_asks_for_its_role(action, role):
    others = frozenset(ROLES) - {role}
    with pytest.raises(TransitionRefused, match=f"needs the role {role.replace('_', ' ')}"):
        advance(FIRST_PHASE[action], action, replace(good_for(action), signer_roles=others))


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize(
    "action", ["specify", "open_test_set", "verify", "validate", "put_in_force"]
)
def test_the_author_never_approves(action):
    with pytest.raises(TransitionRefused, match="the author of a version does not approve it"):
        advance(FIRST_PHASE[action], action, replace(good_for(action), signer_is_author=True))


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize("action", ["validate", "put_in_force"])
def test_who_verified_does_not_release(action):
    with pytest.raises(TransitionRefused, match="who verified"):
        advance(FIRST_PHASE[action], action, replace(GOOD, signer_has_verified=True))


REFUSED = [
    (Phase.DRAFTED, "specify", {"has_criteria": False}, "no acceptance criteria"),
    (Phase.DRAFTED, "specify", {"test": None}, "no test set is locked"),
    (Phase.DRAFTED, "specify", {"has_artefact": True}, "opened before its criteria"),
    (Phase.DRAFTED, "specify", {"author_is_a_person": False}, "operating system's user"),
    (Phase.VERIFIED, "validate", {"author_is_a_person": False}, "operating system's user"),
    (Phase.SPECIFIED, "attach_training", {"has_artefact": True}, "frozen"),
    (Phase.SPECIFIED, "train", {"has_artefact": False}, "nothing was trained"),
    (Phase.SPECIFIED, "train", {"signer_roles": frozenset({"qa_approver"})}, "process engineer"),
    (Phase.TRAINED, "open_test_set", {"test_openings": 1}, "opened already"),
    (Phase.TRAINED, "attach_scores", {"test_openings": 0}, "opened 0 times, not once"),
    (Phase.TRAINED, "attach_scores", {"has_scores": True}, "recorded already"),
    (Phase.TRAINED, "attach_scores", {"scored_set": "d" * 64}, "not from the locked test set"),
    (Phase.TRAINED, "verify", {"test_openings": 0}, "opened 0 times, not once"),
    (Phase.TRAINED, "verify", {"has_scores": False}, "no scores"),
    (Phase.TRAINED, "verify", {"scored_set": "d" * 64}, "not from the locked test set"),
    (Phase.TRAINED, "verify", {"unmet_criteria": ("rmse is 9, asked 8",)}, "rmse is 9, asked 8"),
    (Phase.IN_FORCE, "suspend", {"signer_roles": frozenset({"auditor"})}, "needs the role"),
]


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize(("phase", "action", "wrong", "reason"), REFUSED)
def test_each_guard_refuses_with_its_reason(phase, action, wrong, reason):
    with pytest.raises(TransitionRefused, match=reason):
        advance(phase, action, replace(good_for(action), **wrong))


@pytest.mark.requirement("URS-REG-003")
def test_a_rule_suspends_without_a_person():
    assert advance(Phase.IN_FORCE, "suspend", Facts(by_rule=True)) is Phase.SUSPENDED


@pytest.mark.requirement("URS-REG-003")
def test_a_refusal_lists_every_reason():
    with pytest.raises(TransitionRefused) as refused:
        advance(Phase.VERIFIED, "validate", Facts())
    assert str(refused.value).count(";") == 2


@pytest.mark.requirement("URS-REG-005")
@pytest.mark.parametrize(
    ("batches", "named"),
    [
        ({"B-9": "3" * 64}, "B-9"),  # the same content under another name
        ({"B-3": "9" * 64}, "B-3"),  # the same name with other content
    ],
)
@pytest.mark.parametrize("action", ["attach_training", "train", "open_test_set", "verify"])
def test_a_batch_of_both_sets_is_refused_by_name(action, batches, named):
    overlapping = replace(good_for(action), training=DataSet("a" * 64, batches))
    with pytest.raises(TransitionRefused, match=f"batches of its test set: {named}"):
        advance(FIRST_PHASE[action], action, overlapping)


@pytest.mark.requirement("URS-REG-005")
def test_disjoint_sets_share_nothing():
    assert shared_batches(TRAINING, TEST) == []


def test_nothing_leaves_retired():
    assert [pair for pair in phase_changes() if pair[0] == "retired"] == []

"""The acts on model versions, refused and done."""

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit import api as audit
from models_registry import standing, testing, versions
from models_registry.cards import CardRefused
from models_registry.lifecycle import DataSet, Phase
from models_registry.models import ModelVersion, TrackingTask

pytestmark = pytest.mark.django_db


@pytest.fixture
def version_in(people, prove):
    def walked(phase, **changes):
        return testing.version_in(phase, people=people, prove=prove, **changes)

    return walked


@pytest.fixture
def act(people, prove):
    """Do a signed act as the person of a role, who has just seen the version."""

    def signed(version, action, role):
        version.refresh_from_db()
        return testing.signed(version, action, people[role], prove(people[role]))

    return signed


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize("phase", list(Phase))
def test_a_version_reaches_each_phase_by_its_acts(version_in, phase):
    version = version_in(phase)
    assert ModelVersion.objects.get(pk=version.pk).phase == phase


@pytest.mark.requirement("URS-REG-003")
def test_every_arrow_into_force_carries_its_signature(version_in):
    version = version_in(Phase.IN_FORCE)
    signed = {
        step.phase: [signature.meaning for signature in step.signatures]
        for step in standing.history(version)
        if step.signatures
    }
    assert signed == {
        "specified": ["approval"],
        "trained": ["authorship"],
        "verified": ["verification"],
        "validated": ["approval"],
        "in_force": ["release"],
    }


@pytest.mark.requirement("URS-REG-003")
def test_each_act_cites_the_record_before_it(version_in):
    steps = standing.history(version_in(Phase.IN_FORCE))
    for before, after in pairwise(steps):
        assert bytes(before.record.leaf).hex() in audit.content(after.record)["parents"]


@pytest.mark.requirement("URS-REG-003")
def test_the_author_cannot_put_the_own_version_in_force(version_in, act):
    version = version_in(Phase.VALIDATED)
    with pytest.raises(versions.ActRefused, match="author of a version does not approve"):
        act(version, "put_in_force", "author")
    version.refresh_from_db()
    assert version.phase == Phase.VALIDATED


@pytest.mark.requirement("URS-REG-003")
def test_an_act_without_proof_is_refused(version_in, people):
    version = version_in(Phase.VALIDATED)
    with pytest.raises(versions.ActRefused, match="needs an electronic signature"):
        versions.put_in_force(version.pk, signer=people["qa_approver"], reason="please")


@pytest.mark.requirement("URS-REG-003")
def test_what_moved_since_it_was_shown_is_not_signed(version_in, people, prove):
    version = version_in(Phase.VERIFIED)
    shown = audit.view_digest(versions.view_of(version, "validate"))
    who = people["qa_approver"]
    versions.validate(version.pk, signer=who, proof=prove(who), reason="fit", shown=shown)
    with pytest.raises(audit.Refused, match="has changed since"):
        versions.put_in_force(version.pk, signer=who, proof=prove(who), reason="fit", shown=shown)


@pytest.mark.requirement("URS-REG-003")
def test_what_saw_data_before_its_criteria_is_never_specified(people, act):
    version = testing.calibrated(testing.drafted(people["author"]))
    with pytest.raises(versions.ActRefused, match="opened before its criteria were signed"):
        act(version, "specify", "validation_engineer")


@pytest.mark.requirement("URS-REG-003")
def test_a_version_of_an_operating_system_user_stays_a_draft(people, act):
    version = testing.drafted(audit.os_user_actor())
    assert version.author_id is None and "operating system" in version.author_name
    with pytest.raises(versions.ActRefused, match="nobody is known to be independent"):
        act(version, "specify", "validation_engineer")


@pytest.mark.requirement("URS-REG-005")
@pytest.mark.parametrize("batches", [{"B-7": "8" * 64}, {"B-8": "7" * 64}])
def test_training_on_a_locked_batch_is_refused_by_name(version_in, batches):
    version = version_in(Phase.SPECIFIED)
    with pytest.raises(versions.ActRefused, match=next(iter(batches))):
        versions.attach_training(
            version.pk,
            artefact=testing.ARTEFACT,
            equations_digest=testing.EQUATIONS,
            training=DataSet("c" * 64, batches),
        )


@pytest.mark.requirement("URS-REG-005")
def test_the_locked_test_set_is_opened_once_and_counted(version_in, people):
    version = version_in(Phase.TRAINED)
    assert versions.open_test_set(version.pk, actor=people["validation_engineer"]) == testing.TEST
    version.refresh_from_db()
    assert version.test_openings == 1
    with pytest.raises(versions.ActRefused, match="opened already"):
        versions.open_test_set(version.pk, actor=people["validation_engineer"])


@pytest.mark.requirement("URS-REG-005")
def test_scores_without_an_opened_test_set_are_refused(version_in):
    version = version_in(Phase.TRAINED)
    with pytest.raises(versions.ActRefused, match="opened 0 times"):
        versions.attach_scores(version.pk, scores=testing.SCORES)


@pytest.mark.requirement("URS-REG-005")
def test_scores_on_other_data_are_refused(version_in, people):
    version = version_in(Phase.TRAINED)
    versions.open_test_set(version.pk, actor=people["validation_engineer"])
    with pytest.raises(versions.ActRefused, match="not from the locked test set"):
        versions.attach_scores(version.pk, scores=testing.SCORES | {"data_set": "f" * 64})


@pytest.mark.requirement("URS-REG-003")
def test_scores_below_the_criteria_are_not_verified(version_in):
    with pytest.raises(versions.ActRefused, match=r"is 0\.11, asked is at most 0\.08"):
        version_in(Phase.VERIFIED, scores=testing.POOR_SCORES)
    version = ModelVersion.objects.get()
    assert version.phase == Phase.TRAINED and version.test_openings == 1


@pytest.mark.requirement("URS-REG-003")
def test_a_rule_suspends_with_its_reason(version_in):
    version = version_in(Phase.IN_FORCE)
    versions.suspend(version.pk, rule="residuals.drift", reason="mean residual above 3 sd")
    step = standing.history(version)[-1]
    assert (step.phase, step.reason, step.signatures) == (
        "suspended",
        "mean residual above 3 sd",
        (),
    )
    assert step.data["rule"] == "residuals.drift"


@pytest.mark.requirement("URS-REG-003")
def test_a_suspended_version_comes_back_by_a_signature(version_in, act):
    version = version_in(Phase.SUSPENDED)
    assert act(version, "put_in_force", "qa_approver").phase == Phase.IN_FORCE


@pytest.mark.requirement("URS-REG-004")
def test_a_successor_takes_the_place_in_one_act(version_in, act):
    first = version_in(Phase.IN_FORCE)
    second = act(version_in(Phase.VALIDATED, name="v2"), "put_in_force", "qa_approver")
    first.refresh_from_db()
    assert (first.phase, second.phase) == (Phase.RETIRED, Phase.IN_FORCE)
    assert first.record_id == second.record_id
    assert standing.in_force("BR-101") == second


@pytest.mark.requirement("URS-REG-004")
def test_the_database_refuses_a_second_version_in_force(version_in):
    version_in(Phase.IN_FORCE)
    second = version_in(Phase.VALIDATED, name="v2")
    before = second.state_fields()
    second.phase = Phase.IN_FORCE
    record = audit.append(
        stream="model/forged",
        kind="models_registry.version.forged",
        subject=second,
        old=before,
        new=second.state_fields(),
    )
    with pytest.raises(IntegrityError, match="one_version_in_force"), transaction.atomic():
        second.save(record=record)


@pytest.mark.requirement("URS-REG-004")
@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.IN_FORCE])
def test_only_a_version_in_force_may_advise(version_in, phase):
    version_in(phase)
    with pytest.raises(standing.NotInForce, match=f"the last, v1, is {phase}"):
        standing.require_in_force("BR-101")


@pytest.mark.requirement("URS-REG-004")
def test_the_version_in_force_may_advise(version_in):
    version = version_in(Phase.IN_FORCE)
    assert standing.require_in_force("BR-101") == version


@pytest.mark.requirement("URS-REG-004")
def test_who_put_a_version_in_force_is_known(version_in, people):
    assert standing.released_by(version_in(Phase.VALIDATED)) == set()
    assert standing.released_by(version_in(Phase.IN_FORCE, name="v2")) == {people["qa_approver"].pk}


@pytest.mark.requirement("URS-REG-004")
def test_an_asset_without_a_model_gets_no_advice(db):
    with pytest.raises(standing.NotInForce, match="no model is registered for BR-999"):
        standing.require_in_force("BR-999")


@pytest.mark.requirement("URS-REG-004")
def test_several_models_of_an_asset_are_told_apart_by_template(version_in):
    version_in(Phase.IN_FORCE)
    testing.drafted(None, template="cho_perfusion")
    with pytest.raises(ValueError, match="cho_fed_batch, cho_perfusion"):
        standing.in_force("BR-101")
    assert standing.in_force("BR-101", template="cho_fed_batch").name == "v1"
    assert standing.in_force("BR-101", template="cho_perfusion") is None


@pytest.mark.requirement("URS-REG-004")
def test_what_was_in_force_at_a_time_is_told_by_the_ledger(version_in, act):
    first = version_in(Phase.VALIDATED)
    before = timezone.now()
    act(first, "put_in_force", "qa_approver")
    during_first = ModelVersion.objects.get(pk=first.pk).record.recorded_at
    act(version_in(Phase.VALIDATED, name="v2"), "put_in_force", "qa_approver")
    during_second = timezone.now() + timedelta(seconds=1)
    assert standing.in_force("BR-101", at=before) is None
    then = standing.in_force("BR-101", at=during_first)
    assert (then.pk, then.phase, then.artefact_digest) == (
        first.pk,
        "in_force",
        ModelVersion.objects.get(pk=first.pk).artefact_digest,
    )
    assert standing.in_force("BR-101", at=during_second).name == "v2"


@pytest.mark.requirement("URS-REG-006")
def test_a_draft_without_a_sound_card_is_refused(db):
    with pytest.raises(CardRefused, match="intended_use is missing"):
        testing.drafted(None, card={"impact": "low"})


def test_a_name_is_never_used_again(people):
    testing.drafted(people["author"])
    with pytest.raises(ValueError, match="names are never used again"):
        testing.drafted(people["author"])


@pytest.mark.requirement("URS-REG-008")
def test_each_act_leaves_an_entry_for_the_tracking_store(version_in):
    version = version_in(Phase.IN_FORCE)
    tasks = TrackingTask.objects.filter(version=version)
    assert tasks.count() == len(standing.history(version))
    assert bytes(tasks.last().leaf) == bytes(version.record.leaf)


def test_a_person_is_told_beforehand_why_an_act_is_not_theirs(version_in, people):
    version = version_in(Phase.VALIDATED)
    assert versions.refusals(version, "put_in_force", people["qa_approver"]) is None
    assert "qa approver" in versions.refusals(version, "put_in_force", people["auditor"])

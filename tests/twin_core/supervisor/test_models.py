"""The demonstration's model versions come into force by its people's signatures."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit import api as audit
from models_registry import api as registry
from twin_core.supervisor import models, people


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until somebody sleeps."""

    class Clock:
        now = timezone.now()
        slept = 0.0

        def sleep(self, seconds):
            self.slept += seconds
            self.now += timedelta(seconds=seconds)

    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


@pytest.fixture
def everybody(ledger_db, tmp_path, clock):
    return people.make(tmp_path)


def bring(everybody, clock, plans=models.PLANS[:1]):
    said = []
    found = models.bring_models_into_force(
        everybody, say=said.append, plans=plans, sleep=clock.sleep
    )
    return found, said


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.requirement("URS-REG-005")
def test_the_recorded_culture_gets_a_version_that_never_saw_its_strategy(everybody, clock):
    (version,), said = bring(everybody, clock)
    assert registry.require_in_force("BR-101", template="cho_fed_batch") == version
    signers = [
        (step.phase, signature.signer.username)
        for step in registry.history(version)
        for signature in step.signatures
    ]
    assert signers == [
        ("specified", "viktor"),
        ("trained", "priya"),
        ("verified", "viktor"),
        ("validated", "amara"),
        ("in_force", "amara"),
    ]
    assert version.test_openings == 1
    training = set(registry.load(version)["training"]["batches"])
    assert not training & set(registry.test_set(version).batches)
    assert clock.slept < 120, said

    again, said = bring(everybody, clock)
    assert (again, said) == ([version], [])


@pytest.mark.requirement("URS-REG-003")
def test_an_interrupted_walk_goes_on_where_it_stopped(everybody, clock):
    plan = models.PLANS[0]
    hands = models.Hands(everybody, lambda _: None, clock.sleep)
    way = models.walk(plan, hands)
    assert [next(way), next(way)] == ["specified", "trained"]
    (version,), _ = bring(everybody, clock)
    assert version.phase == registry.Phase.IN_FORCE
    assert len([s for s in registry.history(version) if s.phase == "specified"]) == 2


@pytest.mark.requirement("URS-REG-003")
def test_a_version_that_a_person_suspended_is_left_alone(everybody, clock):
    (version,), _ = bring(everybody, clock)
    registry.suspend(version.pk, rule="residuals.drift", reason="drift")
    assert bring(everybody, clock) == ([], [])


@pytest.mark.requirement("URS-REG-001")
@pytest.mark.parametrize("plan", models.PLANS, ids=lambda plan: plan.name)
def test_a_shipped_version_fits_the_installed_equations_and_its_test_set(plan):
    artefact = models.frozen(plan)
    assert artefact is not None, "made with other equations: run manage.py freeze_versions"
    assert registry.read(plan.card.read_text()).criteria
    training = {batch.batch_id for batch in plan.training_set().batches}
    assert set(artefact["training"]["batches"]) == training
    assert not training & {batch.batch_id for batch in plan.test_set().batches}
    assert artefact["training"]["package_digest"] == plan.training_set().digest


@pytest.mark.requirement("URS-REG-001")
def test_a_changed_shipped_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    plan = models.PLANS[0]
    assert models.frozen(plan) is None
    registry.write_frozen(tmp_path, f"{plan.name}.json", {"equations": "0" * 64})
    assert models.frozen(plan) is None  # made with other equations: learned anew
    path = tmp_path / f"{plan.name}.json"
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    with pytest.raises(registry.ArtefactRefused, match="the list says"):
        models.frozen(plan)


def test_codes_are_taken_in_turn_and_each_once(everybody, clock):
    hands = models.Hands(everybody, lambda _: None, clock.sleep)
    amara = hands.person("amara")
    moments = []
    for _ in range(5):
        moment = hands._next_code(amara)
        held = everybody["amara"]
        audit.prove(amara, password=held.password, code=held.code(moment)[0])
        moments.append(moment)
    steps = [int(moment.timestamp()) // 30 for moment in moments]
    assert steps == list(range(steps[0], steps[0] + 5))

"""What the database refuses, whoever asks: raw SQL as the application role, inside one act."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit import api as audit
from models_registry import testing, versions
from models_registry.lifecycle import Phase, phase_changes
from models_registry.models import ModelVersion, TwinModel
from models_registry.triggers import NAME, lifecycle_guard

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(people):
    return testing.drafted(people["author"])


def forged(version, **changes):
    """Change a row with a record that tells the change, as a wrong program would."""
    before = version.state_fields()
    for name, value in changes.items():
        setattr(version, name, value)
    record = audit.append(
        stream="model/forged",
        kind="models_registry.version.forged",
        subject=version,
        old=before,
        new=version.state_fields(),
    )
    with transaction.atomic():
        version.save(record=record)


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize("phase", [p for p in Phase if ("drafted", str(p)) not in phase_changes()])
def test_a_phase_outside_the_table_is_refused_although_a_record_tells_it(version, phase):
    with pytest.raises(IntegrityError, match=f"no act leads from drafted to {phase}"):
        forged(version, phase=phase)


@pytest.mark.requirement("URS-REG-003")
def test_every_pair_of_phases_outside_the_table_stands_in_the_trigger():
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", [NAME])
        (installed,) = cursor.fetchone()
    assert installed in lifecycle_guard()


@pytest.mark.requirement("URS-REG-001")
@pytest.mark.parametrize(
    "changes",
    [
        {"card": "{}"},
        {"name": "v2"},
        {"test_digest": "c" * 64},
        {"author_id": None, "author_name": "nobody"},
    ],
)
def test_what_was_drafted_is_frozen(version, changes):
    with pytest.raises(IntegrityError, match="are frozen"):
        forged(version, **changes)


@pytest.mark.requirement("URS-REG-001")
def test_a_trained_artefact_is_frozen(version):
    versions.attach_training(
        version.pk,
        artefact=testing.ARTEFACT,
        equations_digest=testing.EQUATIONS,
        training=testing.TRAINING,
    )
    version.refresh_from_db()
    with pytest.raises(IntegrityError, match="what training made is frozen"):
        forged(version, artefact_digest="d" * 64)


@pytest.mark.requirement("URS-REG-003")
def test_what_has_seen_data_is_never_specified(version):
    versions.attach_training(
        version.pk,
        artefact=testing.ARTEFACT,
        equations_digest=testing.EQUATIONS,
        training=testing.TRAINING,
    )
    version.refresh_from_db()
    with pytest.raises(IntegrityError, match="before the criteria were signed"):
        forged(version, phase=Phase.SPECIFIED)


@pytest.mark.requirement("URS-REG-005")
def test_a_test_set_is_not_opened_before_training(version):
    with pytest.raises(IntegrityError, match="opened once, by a trained version"):
        forged(version, test_openings=1)


@pytest.mark.requirement("URS-REG-003")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE models_registry_modelversion SET phase = 'in_force'",
        "UPDATE models_registry_modelversion SET test_openings = 0, phase = 'retired'",
        "UPDATE models_registry_twinmodel SET scope = 'BR-999'",
        "DELETE FROM models_registry_modelversion",
        "TRUNCATE models_registry_modelversion CASCADE",
        "ALTER TABLE models_registry_modelversion DISABLE TRIGGER ALL",
    ],
)
def test_raw_sql_goes_round_nothing(version, statement):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.requirement("URS-REG-003")
def test_a_bulk_update_is_refused(version):
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(phase=Phase.RETIRED)


@pytest.mark.requirement("URS-REG-003")
def test_a_row_without_its_record_is_refused():
    with pytest.raises(ValueError, match="names its record"):
        TwinModel(template="t", scope="s", title="x").save()


@pytest.mark.requirement("URS-REG-003")
def test_a_version_does_not_start_in_force(people):
    model = TwinModel.objects.get(pk=testing.drafted(people["author"]).model_id)
    version = ModelVersion.objects.get(model=model)
    version.pk, version.name, version.phase = audit.uuid7(), "forged", Phase.IN_FORCE
    version._state.adding = True
    record = audit.append(
        stream="model/forged",
        kind="models_registry.version.forged",
        subject=version,
        new=version.state_fields(),
    )
    with pytest.raises(IntegrityError, match="starts drafted"), transaction.atomic():
        version.save(record=record)

"""MLflow on the real PostgreSQL: fed, repaired, and without any say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from audit import api as audit
from models_registry import standing, testing, tracking, versions
from models_registry.lifecycle import Phase
from models_registry.models import ModelVersion, TrackingTask

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(ledger_db, settings, services, tmp_path):
    """This test's ledger, and MLflow's own database beside it."""
    settings.MLFLOW_DATABASE_URL = services.environment()["TWIN_MLFLOW_DATABASE_URL"]
    settings.DATA_DIR = tmp_path
    return ledger_db


@pytest.fixture
def version(store, prove):
    from django.db import transaction

    from tests.models_registry.conftest import ROLES, person

    with transaction.atomic():
        people = {role: person(role, role) for role in ROLES}
        people["author"] = person("author", "process_engineer")
        return testing.version_in(Phase.IN_FORCE, people=people, prove=prove)


def entry_of(version):
    client = tracking.connect(tracking.database_address())
    entry = tracking._entry_of(client, "cho_fed_batch.BR-101", version)
    return client, entry


def kinds():
    return list(audit.Record.objects.filter(stream="tracking").values_list("kind", flat=True))


@pytest.mark.requirement("URS-REG-008")
def test_mlflow_is_fed_with_digest_leaf_scores_and_artefact(version):
    assert tracking.sync() == tracking.Report(fed=1)
    assert not TrackingTask.objects.filter(done_at=None).exists()
    client, entry = entry_of(version)
    run = client.get_run(entry.run_id)
    assert entry.tags["record_leaf"] == bytes(version.record.leaf).hex()
    assert entry.tags["phase"] == "in_force"
    assert entry.tags["artefact_digest"] == version.artefact_digest
    assert run.data.metrics == {"viable_cell_density.rmse": 0.07}
    stored = Path(client.download_artifacts(entry.run_id, tracking.ARTEFACT)).read_bytes()
    assert audit.decode(stored) == testing.ARTEFACT

    assert tracking.sync() == tracking.Report()  # nothing waits
    client.set_model_version_tag("cho_fed_batch.BR-101", entry.version, "phase", "retired")
    assert standing.require_in_force("BR-101") == version  # MLflow has no say
    assert tracking.sync(everything=True) == tracking.Report(fed=1)
    assert entry_of(version)[1].tags["phase"] == "in_force"


@pytest.mark.requirement("URS-REG-008")
def test_mlflow_out_of_reach_blocks_no_act_and_is_recorded_once(version, settings):
    reachable = settings.MLFLOW_DATABASE_URL
    settings.MLFLOW_DATABASE_URL = "postgresql://nobody:wordless@localhost:1/none"
    for _ in range(2):
        (failure,) = tracking.sync().failed
        assert "wordless" not in failure
    versions.suspend(version.pk, rule="residuals.drift", reason="drift")
    assert ModelVersion.objects.get(pk=version.pk).phase == Phase.SUSPENDED
    assert kinds() == ["models_registry.tracking.failed"]
    assert TrackingTask.objects.filter(done_at=None, attempts=2).exists()

    settings.MLFLOW_DATABASE_URL = reachable
    assert tracking.sync() == tracking.Report(fed=1)
    assert kinds() == ["models_registry.tracking.failed", "models_registry.tracking.caught_up"]
    assert entry_of(version)[1].tags["phase"] == "suspended"


@pytest.mark.requirement("URS-REG-008")
def test_without_an_address_the_command_says_what_is_missing(settings):
    settings.MLFLOW_DATABASE_URL = ""
    with pytest.raises(tracking.TrackingUnavailable, match="TWIN_MLFLOW_DATABASE_URL is not set"):
        tracking.sync()


def test_telemetry_is_off_before_mlflow_is_imported():
    assert tracking.ENVIRONMENT["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert tracking.ENVIRONMENT["DO_NOT_TRACK"] == "true"


def test_the_pages_and_services_start_without_mlflow():
    code = (
        "import django, sys; django.setup(); "
        "import models_registry.api, models_registry.tracking; "
        "sys.exit('mlflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=dict(os.environ))
    assert done.returncode == 0

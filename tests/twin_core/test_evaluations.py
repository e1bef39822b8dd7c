"""Calibrate, replay and the locked test set, by command and on record."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from audit import api as audit
from models_registry import api as registry
from models_registry import testing
from tests.models_registry.conftest import fresh_proof, person
from twin_core.insight import evaluations
from twin_core.science.packages import PackageError
from twin_core.supervisor import models

PLAN = models.PLANS[0]
TEMPLATE = "cho_fed_batch"
THREE = "feeding_strategy=STD+,LoG+,HiF,HIP,HIP+"  # leaves the three of STD: quick to learn


def shipped():
    artefact = models.frozen(PLAN)
    assert artefact is not None, "made with other equations: run manage.py freeze_versions"
    return artefact


@pytest.fixture
def trained(ledger_db):
    """A version with the shipped artefact, drafted for evaluation."""
    version = evaluations.version_to_train(
        "v1", template=TEMPLATE, asset=None, author=audit.os_user_actor()
    )
    return evaluations.attach(version, shipped(), PLAN.training_set(), actor=audit.os_user_actor())


def replay(out, *options):
    call_command(
        "replay", "nistcho_fb2", f"--template={TEMPLATE}", "--model=v1", f"--out={out}", *options
    )


def last(kind):
    return audit.content(audit.Record.objects.filter(kind=kind).latest("id"))


@pytest.mark.requirement("URS-REG-007")
def test_calibrate_drafts_a_version_and_records_data_scores_and_user(ledger_db, tmp_path, capsys):
    options = [f"--template={TEMPLATE}", "--version=probe", f"--leave-out={THREE}"]
    call_command("calibrate", "nistcho_fb2", *options, f"--freeze={tmp_path}")
    version = registry.find("probe", template=TEMPLATE)
    assert (version.phase, version.model.scope) == ("drafted", "evaluation")
    assert registry.frozen(tmp_path) == {"probe.json": version.artefact_digest}
    assert registry.load(version)["training"]["batches"] == ["FB2_A_R1", "FB2_A_R2", "FB2_A_R3"]
    told = last("models_registry.version.calibrated")
    assert told["actor"]["kind"] == "os_user"
    assert told["data"]["package"] == evaluations.find_package("nistcho_fb2").digest
    assert "learned from 3 batches" in capsys.readouterr().out
    with pytest.raises(CommandError, match="a trained artefact is frozen"):
        call_command("calibrate", "nistcho_fb2", *options)


@pytest.mark.requirement("URS-REG-007")
def test_replay_writes_forecasts_and_scores_and_records_them(trained, tmp_path, capsys):
    replay(tmp_path, "--only=batch_id=FB2_E_R1")
    scores = json.loads((tmp_path / "scores.json").read_text())
    with (tmp_path / "forecasts.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["batch_id"] for row in rows} == {"FB2_E_R1"}
    assert max(float(row["horizon_h"]) for row in rows) >= 30
    told = last("twin_core.model.replayed")["data"]
    assert told["scores"]["viability"]["rmse"] == scores["next_sample"]["viability"]["rmse"]
    assert told["artefact"] == trained.artefact_digest
    assert "straight line" in capsys.readouterr().out


@pytest.mark.requirement("URS-REG-007")
def test_a_replay_never_looks_ahead(trained, tmp_path):
    """What comes later changes no forecast that was issued before it was received."""
    whole = evaluations.chosen(
        evaluations.find_package("nistcho_fb2"), "batch_id=FB2_E_R1", leave_out=False
    )
    (batch,) = whole.batches
    cut_h = 130.0
    changed = tuple(
        replace(s, value=s.value * 0.5) if s.received_h > cut_h else s for s in batch.samples
    )
    other = replace(whole, batches=(replace(batch, samples=changed),))

    def issued_early(package, out):
        evaluations.replayed(trained, package, out, actor=audit.os_user_actor())
        with (out / "forecasts.csv").open() as stream:
            return [row for row in csv.DictReader(stream) if float(row["issued_h"]) <= cut_h]

    early = issued_early(whole, tmp_path / "a")
    assert early
    assert early == issued_early(other, tmp_path / "b")


@pytest.mark.requirement("URS-REG-007")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--only=batch_id=FB2_A_R1"], "was trained on FB2_A_R1"),
        (["--only=batch_id=FB2_X"], "no batch of nistcho_fb2 has batch_id=FB2_X"),
        (["--only=FB2_X"], "must read attribute=value"),
        (["--only=batch_id=FB2_E_R1", "--as=nobody"], "no active person"),
        (["--only=batch_id=FB2_E_R1", "--asset=BR-999"], "has no version v1"),
    ],
)
def test_a_replay_that_would_flatter_or_is_unclear_is_refused(trained, tmp_path, options, reason):
    with pytest.raises(CommandError, match=reason):
        replay(tmp_path, *options)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("package", "template", "error", "reason"),
    [
        ("nowhere", TEMPLATE, PackageError, "br201_recorded, nistcho_fb2"),
        ("nistcho_fb2", "cho_nothing", LookupError, "no process model"),
    ],
)
def test_an_unknown_package_or_template_is_named(package, template, error, reason):
    with pytest.raises(error, match=reason):
        evaluations.find_package(package)
        evaluations.version_to_train("v", template=template, asset=None, author=None)


def test_a_batch_is_known_by_its_content_whatever_its_name():
    first, second, *_ = evaluations.find_package("nistcho_fb2").batches
    assert evaluations.batch_digest(first) == evaluations.batch_digest(
        replace(first, batch_id="renamed")
    )
    assert evaluations.batch_digest(first) != evaluations.batch_digest(second)


@pytest.fixture
def locked(ledger_db):
    """A trained version whose locked test set is still closed, and its engineer."""
    with transaction.atomic():
        author = person("author", "process_engineer")
        engineer = person("engineer", "validation_engineer")
        card, test = json.loads(PLAN.card.read_text()), evaluations.data_set(PLAN.test_set())
        version = testing.drafted(author, card=card, test=test)
        testing.signed(version, "specify", engineer, fresh_proof(engineer))
        version = evaluations.attach(version, shipped(), PLAN.training_set(), actor=author)
        testing.signed(version, "train", author, fresh_proof(author))
    return version


def open_test_set(*options, package="nistcho_fb2"):
    call_command("open_test_set", "v1", f"--template={TEMPLATE}", f"--package={package}", *options)


@pytest.mark.requirement("URS-REG-005")
def test_a_locked_test_set_is_not_replayed_before_it_is_opened(locked, tmp_path):
    with pytest.raises(CommandError, match=r"FB2_E_R1.*locked test set of v1"):
        replay(tmp_path, "--only=batch_id=FB2_E_R1")


@pytest.mark.requirement("URS-REG-005")
def test_the_locked_test_set_is_opened_scored_and_counted(locked, tmp_path, capsys):
    open_test_set("--as=engineer")
    version = registry.find("v1", template=TEMPLATE)
    assert version.test_openings == 1
    metrics = registry.scores_of(version)["metrics"]
    assert set(metrics["viability.rmse_of_range"]["baselines"]) == {"persistence", "straight_line"}
    assert "met      viable_cell_density.rmse_of_range" in capsys.readouterr().out
    with pytest.raises(CommandError, match="recorded already"):
        open_test_set("--as=engineer")
    replay(tmp_path, "--only=batch_id=FB2_E_R1")  # opened and scored: nothing is given away


@pytest.mark.requirement("URS-REG-005")
def test_somebody_without_the_role_does_not_open_it_and_the_attempt_is_recorded(locked):
    with pytest.raises(CommandError, match="needs the role validation engineer"):
        open_test_set("--as=author")
    assert registry.find("v1", template=TEMPLATE).test_openings == 0
    refused = last("models_registry.version.test_set_opened.refused")
    assert "needs the role validation engineer" in refused["reason"]


@pytest.mark.requirement("URS-REG-005")
def test_another_package_does_not_pass_for_the_locked_one(locked, tmp_path):
    source = Path(models.FOLDER.parent, "packages", "nistcho_fb2")
    for path in source.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "samples.csv").open("a") as samples:
        samples.write("FB2_E_R1,262.0,viability,97.0,%,lab,\n")
    with pytest.raises(CommandError, match="digests differ"):
        open_test_set("--as=engineer", package=tmp_path)
    assert registry.find("v1", template=TEMPLATE).test_openings == 0

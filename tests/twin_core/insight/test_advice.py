"""When the twin advises, and when it keeps silent and says why."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from audit import api as audit
from models_registry import api as registry
from models_registry import testing
from tests.twin_core import factories
from tests.twin_core.insight import played
from tests.twin_core.insight.played import advised, done, newest, records
from twin_core.data import batches, limits, trust
from twin_core.insight import evaluations, recommendations, standing, templates
from twin_core.models import Estimate, Forecast, OutboxTask, Recommendation

WITHHELD = "twin_core.advice.withheld"


def user(name: str):
    return audit.User.objects.get(username=name)


def withheld(found: Forecast) -> str:
    """Let the worker look for advice; return why there is none, as the record tells it."""
    before = records(WITHHELD)
    assert advised(found) is None
    assert records(WITHHELD) == before + 1
    told = newest(WITHHELD)
    assert told["parents"] == [bytes(found.record.leaf).hex()]
    return told["reason"]


def rejected(found: Recommendation) -> None:
    recommendations.reject(
        found.pk,
        signer=user("reviewer"),
        proof=factories.proved(user("reviewer")),
        code="process_reason",
        reason="",
        shown=audit.view_digest(standing.view(found)),
    )


@pytest.mark.requirement("URS-FCT-004")
def test_what_is_advised_lies_within_the_signed_limits_and_names_its_author(forecast):
    found = advised(forecast)
    point = limits.tag_map(forecast.batch.equipment).setpoints[found.tag]
    assert (found.state, found.unit, found.is_writable) == ("proposed", point.unit, True)
    assert found.is_high_impact == (found.tag == "temperature.setpoint")
    assert 0 < abs(float(found.value) - float(found.current_value)) <= point.max_step
    assert point.limits[0] <= float(found.value) <= point.limits[1]
    assert limits.refusals(found) == []
    evidence = standing.evidence(found)
    assert evidence["courses"]["untouched"] and evidence["why"]
    assert float(found.expires_h - found.issued_h) == settings.ADVICE_VALID_H
    assert found.author_id in registry.released_by(forecast.estimate.model_version)


@pytest.mark.requirement("URS-REG-004")
def test_without_a_model_in_force_the_refusal_is_recorded_and_nothing_is_computed(batch):
    version = registry.require_in_force("BR-201", template="cho_fed_batch")
    reviewer = user("reviewer")
    testing.signed(version, "suspend", reviewer, factories.proved(reviewer))
    task = done("estimate", batch=str(batch.pk), at_h="98.000000")
    assert task.state == OutboxTask.State.DONE
    assert not Estimate.objects.exists() and not Recommendation.objects.exists()
    told = newest("twin_core.estimate.refused")
    assert "suspended" in told["reason"] or "in force" in told["reason"]
    assert told["data"]["batch"] == str(batch.pk)


@pytest.mark.requirement("URS-REG-004")
def test_advice_of_a_version_that_was_suspended_meanwhile_is_withheld(forecast):
    reviewer = user("reviewer")
    testing.signed(forecast.estimate.model_version, "suspend", reviewer, factories.proved(reviewer))
    assert "force" in withheld(forecast)


@pytest.mark.requirement("URS-WBK-001")
def test_an_asset_at_the_level_monitor_gets_no_advice_and_the_reason_is_recorded(forecast):
    equipment = forecast.batch.equipment
    trust.lower_trust(equipment, "monitor", actor=user("reviewer"), reason="probe drifts")
    assert withheld(forecast) == "the trust level of BR-201 is monitor"


@pytest.mark.requirement("URS-WBK-001")
def test_an_asset_at_the_level_advise_gets_nothing_that_could_be_written(forecast):
    equipment = forecast.batch.equipment
    trust.lower_trust(equipment, "advise", actor=user("reviewer"), reason="probe drifts")
    found = advised(forecast)
    assert (found.tag, found.is_writable) == ("harvest", False)
    assert not OutboxTask.objects.filter(name="write").exists()


@contextmanager
def installed_files(tmp_path: Path, monkeypatch):
    """Copy the signed files elsewhere, where a test may change them."""
    for kind in ("assets/BR-201.asset.yaml", "tag_maps/BR-201.tags.yaml"):
        place = tmp_path / factories.FOLDER / kind
        place.parent.mkdir(parents=True)
        place.write_bytes((settings.BASE_DIR / factories.FOLDER / kind).read_bytes())
    monkeypatch.setattr(settings, "BASE_DIR", tmp_path)
    yield tmp_path / factories.FOLDER


@pytest.mark.requirement("URS-WBK-009")
@pytest.mark.parametrize("kind", ["assets/BR-201.asset.yaml", "tag_maps/BR-201.tags.yaml"])
def test_one_changed_character_in_a_signed_file_stops_advice_until_it_is_restored(
    forecast, tmp_path, monkeypatch, kind
):
    with installed_files(tmp_path, monkeypatch) as folder:
        file = folder / kind
        signed = file.read_bytes()
        file.write_bytes(signed.replace(b"format: 1", b"format: 1 ", 1))
        assert "is not the file that was signed for BR-201" in withheld(forecast)
        file.unlink()
        assert "is not the file that was signed for BR-201" in withheld(forecast)
        file.write_bytes(signed)
        assert advised(forecast) is not None


@pytest.mark.requirement("URS-REC-002")
@pytest.mark.requirement("URS-FCT-003")
def test_an_undecided_forecast_gives_no_advice_and_the_reason_is_recorded(batch):
    """The laboratory has been silent for 40 h: what the twin takes for granted is broken."""
    played.clock_goes_on_to(batch, hours=140.0)
    found = played.forecast_made(batch, 140.0)
    assert (found.status, advised(found)) == ("undecided", None)
    assert found.reason
    assert newest(WITHHELD)["reason"] == f"undecided: {found.reason}"
    rows = recommendations_rows(found)
    assert {row["status"] for row in rows} == {"undecided"}
    assert all(float(row["lo90"]) <= float(row["mean"]) <= float(row["hi90"]) for row in rows)


def recommendations_rows(found: Forecast) -> list[dict[str, str]]:
    return audit.decode(audit.get_blob(found.content))["rows"]


@pytest.mark.requirement("URS-REC-002")
def test_only_the_newest_forecast_of_a_running_batch_is_advised_from(forecast):
    played.laboratory.receive(
        forecast.batch, tag="glucose", value=21.0, unit="mM", sampled_h=97.0, received_h=98.5
    )
    newer = played.forecast_made(forecast.batch, 98.5)
    assert withheld(forecast) == "a newer forecast has been made"
    batches.close(forecast.batch, actor=user("engineer"), reason="harvested")
    assert withheld(newer) == "the batch is closed"


def test_one_change_at_a_time_is_open(forecast):
    found = advised(forecast)
    later = played.forecast_made(forecast.batch, 98.25)
    assert withheld(later) == f"one change at a time: {found.title} is proposed"


def test_rejected_advice_is_not_repeated_within_the_quiet_time_and_then_it_is(forecast, settings):
    found = advised(forecast)
    rejected(found)
    later = played.forecast_made(forecast.batch, 98.25)
    settings.ADVICE_QUIET_H = 24
    assert withheld(later) == f"{found.title} was rejected less than 24 h ago"
    settings.ADVICE_QUIET_H = 0.1
    again = advised(later)
    assert (again.state, again.tag) == ("proposed", found.tag)


def test_an_unknown_process_model_is_named():
    with pytest.raises(LookupError, match="no process model 'cho_nothing'"):
        templates.process_model("cho_nothing")
    assert evaluations.process_model("cho_fed_batch").name == "cho_fed_batch"

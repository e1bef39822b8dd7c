"""A decision is computed again from its capsule alone, and every change in the file is named."""

import base64
import hashlib
import json
import subprocess
import sys

import pytest

from audit import api as audit
from tests.twin_core.insight import played
from twin_core.config.settings import BASE_DIR
from twin_core.insight import capsule, capsules, recommendations, reproduction
from twin_core.models import OutboxTask, Recommendation


@pytest.fixture
def made(forecast):
    """The capsule of advice that was just proposed."""
    advised = played.advised(forecast)
    assert advised is not None
    return capsule.make(capsules.load(advised.pk))


def changed(made: capsule.Capsule, change) -> bytes:
    told = audit.decode(made.text)
    change(told)
    return audit.encode(told)


def swapped(told: dict, old: str, content: bytes) -> None:
    """Put another content into the capsule, under its own digest, wherever the old one is named."""
    digest = hashlib.sha256(content).hexdigest()
    del told["blobs"][old]
    told["blobs"][digest] = base64.b64encode(content).decode()
    renamed = json.loads(json.dumps(told).replace(old, digest))
    told.clear()
    told.update(renamed)


@pytest.mark.requirement("URS-REC-009")
@pytest.mark.requirement("URS-REC-009")
def test_a_capsule_reproduces_to_the_same_bytes(made):
    result = reproduction.reproduce(made.text)
    assert result.difference is None
    assert result.parts == ("online samples", "set points", "estimate", "forecast", "advice")
    assert result.digest == made.digest


@pytest.mark.requirement("URS-REC-009")
def test_the_command_reproduces_in_a_process_without_a_database(made, tmp_path):
    path = tmp_path / "decision.json"
    path.write_bytes(made.text)
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, BASE_DIR / "manage.py", "reproduce", path, "--json"],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["same"] is True


def _damage_blob(told: dict) -> None:
    digest = next(iter(told["blobs"]))
    told["blobs"][digest] = base64.b64encode(b"other").decode()


def _other_row(told: dict) -> None:
    told["recommendation"]["value"] = "9.9"


def _other_segment(told: dict) -> None:
    told["segments"][0]["digest"] = "0" * 64


def _other_format(told: dict) -> None:
    told["capsule"] = 2


@pytest.mark.requirement("URS-REC-009")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_damage_blob, "has another digest"),
        (_other_row, "no record in the capsule tells its recommendation"),
        (_other_format, "not a capsule of format"),
        (_other_segment, "has another digest than it should"),
    ],
)
def test_a_damaged_capsule_is_refused_with_the_reason(made, change, why):
    with pytest.raises((reproduction.CapsuleRefused, ValueError), match=why):
        reproduction.reproduce(changed(made, change))


def test_a_file_that_is_no_capsule_is_refused():
    with pytest.raises(reproduction.CapsuleRefused, match="not canonical"):
        reproduction.reproduce(b'{"capsule": 1}')


@pytest.mark.requirement("URS-REC-009")
@pytest.mark.requirement("URS-REC-009")
def test_one_changed_laboratory_value_is_named_by_what_follows_from_it(made):
    told = audit.decode(made.text)
    old = told["estimate"]["inputs"]
    inputs = audit.decode(base64.b64decode(told["blobs"][old]))
    inputs["laboratory"][0]["value"] = "0.123"
    swapped(told, old, audit.encode(inputs))
    result = reproduction.reproduce(audit.encode(told))
    assert result.difference is not None
    assert result.difference.part == "estimate"


@pytest.mark.requirement("URS-REC-009")
@pytest.mark.requirement("URS-REC-009")
def test_one_changed_digit_of_the_evidence_is_named_by_its_path(made):
    told = audit.decode(made.text)
    old = told["recommendation"]["content"]
    stored = audit.decode(base64.b64decode(told["blobs"][old]))
    stored["effects"][0]["advised"]["mean"] += "1"
    swapped(told, old, audit.encode(stored))
    result = reproduction.reproduce(audit.encode(told))
    assert result.difference is not None
    assert (result.difference.part, result.difference.path) == (
        "advice",
        "$.effects[0].advised.mean",
    )


@pytest.mark.requirement("URS-REC-009")
@pytest.mark.requirement("URS-REC-009")
def test_an_ended_decision_gets_one_capsule_on_record(forecast, monkeypatch):
    advised = played.advised(forecast)
    assert capsules.ask_for_ended() == 0
    monkeypatch.setattr("twin_core.data.clock.process_now", lambda batch: advised.expires_h + 1)
    assert recommendations.expire_stale() == 1
    assert capsules.ask_for_ended() == 1
    assert capsules.ask_for_ended() == 0
    task = OutboxTask.objects.get(name="capsule")
    played.done("capsule", **task.content)
    found = capsules.of(Recommendation.objects.get(pk=advised.pk))
    assert found is not None
    kept = audit.get_blob(found[1])
    assert reproduction.reproduce(kept).difference is None
    assert audit.decode(kept)["recommendation"]["state"] == "expired"

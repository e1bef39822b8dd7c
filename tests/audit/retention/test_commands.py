"""The commands of retention: what they print, refuse and record; the alarm of a filling volume."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit import api
from audit.management.commands import sign_retention_policy
from audit.models import Record
from audit.retention import policies
from audit.retention.space import SpaceWatch
from tests.audit.people import PASSWORD
from tests.audit.retention.old_months import OLD, POLICY


def ran(*words: str, **options: Any) -> str:
    output = StringIO()
    call_command(*words, stdout=output, **options)
    return output.getvalue()


@pytest.mark.requirement("URS-AUD-061")
@pytest.mark.requirement("URS-AUD-063")
def test_a_month_is_archived_and_dropped_by_commands_as_the_sealer(decades):
    text = ran("archive_month", OLD, to=decades.to)
    assert f"{OLD}: 4 records" in text and "manifest SHA-256" in text
    decades.approve(OLD, decades.approver)
    decades.approve(OLD, decades.second)
    elsewhere = decades.to.rename(decades.place / "tapes") / OLD
    text = ran("drop_month", OLD, bundle=elsewhere)
    assert "3 of 4 records dropped" in text
    decades.ledger.seal()
    assert decades.ledger.verify().ok


@pytest.mark.requirement("URS-AUD-064")
@pytest.mark.parametrize("command", ["archive_month", "drop_month"])
def test_a_refusal_names_every_reason_and_is_recorded(decades, command):
    options = {"to": decades.to} if command == "archive_month" else {}
    month = f"{Record.objects.latest('id').recorded_at:%Y-%m}"
    with pytest.raises(CommandError, match=r"not (archived|dropped)"):
        ran(command, month, **options)
    told = api.content(Record.objects.get(kind="audit.retention.refused"))
    assert told["data"]["month"] == month and told["data"]["reasons"]


@pytest.mark.parametrize("text", ["2015", "2015-13", "2015-1", "x"])
def test_a_text_that_is_no_month_is_refused_with_the_form(decades, text):
    for command, options in (("archive_month", {"to": "x"}), ("drop_month", {})):
        with pytest.raises(CommandError, match="like 2026-01"):
            ran(command, text, **options)


def file_of(place: Path, content: bytes) -> Path:
    path = place / "policy.yaml"
    path.write_bytes(content)
    return path


@pytest.mark.requirement("URS-AUD-064")
def test_a_policy_is_put_in_force_by_a_command_with_both_components(decades, monkeypatch):
    from django.utils import timezone

    told = iter([PASSWORD, decades.third.code(timezone.now())])
    monkeypatch.setattr(sign_retention_policy.getpass, "getpass", lambda prompt: next(told))
    path = file_of(decades.place, POLICY.replace(b"years: 5", b"years: 7"))
    text = ran("sign_retention_policy", str(path), person="cleo", reason="longer")
    assert "in force" in text
    assert policies.in_force().years_for([("batch/B-1", "x")]) == 7


def test_a_policy_signed_with_a_wrong_password_is_not_in_force(decades, monkeypatch):
    told = iter(["wrong", "123456"])
    monkeypatch.setattr(sign_retention_policy.getpass, "getpass", lambda prompt: next(told))
    path = file_of(decades.place, POLICY.replace(b"years: 5", b"years: 7"))
    with pytest.raises(CommandError, match="not accepted"):
        ran("sign_retention_policy", str(path), person="cleo", reason="longer")
    assert policies.in_force().years_for([("batch/B-1", "x")]) == 5


def test_a_policy_file_that_cannot_be_read_or_a_stranger_is_refused(decades):
    path = file_of(decades.place, b"v: 9")
    with pytest.raises(CommandError, match="write classes"):
        ran("sign_retention_policy", str(path), person="cleo", reason="x")
    with pytest.raises(CommandError, match="no active person"):
        ran("sign_retention_policy", str(path), person="nobody", reason="x")


@pytest.mark.requirement("URS-AUD-060")
def test_each_level_of_a_filling_volume_is_recorded_once(ledger_db, tmp_path):
    shares = iter((0.2, 0.86, 0.9, 0.96, 0.97, 0.84, 0.86))
    watch = SpaceWatch(tmp_path, measure=lambda folder: next(shares))
    for _ in range(7):
        watch.look()
    kinds = Record.objects.filter(kind__startswith="audit.space").order_by("id")
    told = [kind.rsplit(".", 1)[1] for kind in kinds.values_list("kind", flat=True)]
    assert told == ["short", "short", "freed", "short"]


def test_the_real_volume_has_a_share(tmp_path):
    assert 0 < SpaceWatch(tmp_path).measure(tmp_path) < 1

"""A run is told to the record store step by step, and handed over as files."""

import json

import pytest
from django.core.management import CommandError, call_command

from audit import api as audit
from validation import runner, runs
from validation.management.commands import run_protocol
from validation.protocols import Protocol, ProtocolInvalid

ACTOR = audit.Actor("os_user", "tester", "tester (operating system)")


@pytest.fixture
def protocol():
    made = Protocol("OQ-TST", title="A <b>probe</b>")

    @made.step("OQ-TST-010", verifies=["URS-VAL-003"])
    def first(run):
        """One is one."""
        run.instruct("Count to one.")
        run.expect("one", 1, equals=1)
        run.attach("note.txt", "counted <script>alert(1)</script>")

    return made


@pytest.fixture
def broken(protocol):
    @protocol.step("OQ-TST-020", verifies=["URS-VAL-003"], risk="high")
    def second(run):
        """Two is one."""
        run.expect("two", 2, equals=1)

    @protocol.step("OQ-TST-030", verifies=["URS-VAL-003"])
    def third(run):
        """It is not reached."""
        raise AssertionError("this step must not run")

    return protocol


def records(kind):
    return list(audit.Record.objects.filter(kind=kind).order_by("id"))


@pytest.mark.requirement("URS-VAL-004")
def test_start_steps_and_end_are_records_that_cite_one_another(ledger_db, protocol, tmp_path):
    runner.execute(protocol, executor=ACTOR, out=tmp_path / "out")
    chain = [
        records(f"validation.{what}")[0] for what in ("run.started", "step.passed", "run.completed")
    ]
    told = [audit.content(record) for record in chain]
    assert [each["parents"] for each in told[1:]] == [
        [bytes(record.leaf).hex()] for record in chain[:-1]
    ]
    assert {each["actor"]["id"] for each in told} == {"tester"}
    assert told[0]["data"]["machine"]["software"] == audit.software()


@pytest.mark.requirement("URS-VAL-004")
def test_attachments_are_kept_by_digest_and_cited(ledger_db, protocol, tmp_path):
    runner.execute(protocol, executor=ACTOR, out=tmp_path / "out")
    told = audit.content(records("validation.step.passed")[0])
    digest = told["data"]["attachments"][0]["digest"]
    assert digest in told["blobs"]
    assert audit.get_blob(digest) == b"counted <script>alert(1)</script>"
    assert (tmp_path / "out" / "attachments" / digest).read_bytes() == audit.get_blob(digest)


@pytest.mark.requirement("URS-VAL-003")
def test_a_critical_failure_stops_the_run_and_the_rest_is_recorded_as_not_run(
    ledger_db, broken, tmp_path
):
    told = runner.execute(broken, executor=ACTOR, out=tmp_path / "out")
    assert told["outcome"] == "failed"
    assert [step["outcome"] for step in told["steps"]] == ["passed", "failed", "not_run"]
    assert len(records("validation.step.not_run")) == 1


@pytest.mark.requirement("URS-VAL-004")
def test_a_run_is_read_back_from_the_record_store_as_it_was(ledger_db, broken, tmp_path):
    told = runner.execute(broken, executor=ACTOR, out=tmp_path / "out")
    found = runs.run(told["run"])
    assert [s["observations"] for s in found["steps"]] == [s["observations"] for s in told["steps"]]
    assert (found["outcome"], found["executor"]) == ("failed", ACTOR.as_told())
    assert runs.last_steps()["OQ-TST-020"]["outcome"] == "failed"
    assert runs.passed_steps() == {told["run"]: 1}


@pytest.mark.requirement("URS-VAL-004")
def test_a_run_that_was_broken_off_shows_as_such_and_hands_nothing_over(
    ledger_db, protocol, tmp_path
):
    def interrupted(result):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.execute(protocol, executor=ACTOR, out=tmp_path / "out", watch=interrupted)
    found = runs.run(runs.all_runs()[0]["run"])
    assert (found["outcome"], found["files"]) == ("broken_off", {})
    assert [step["outcome"] for step in found["steps"]] == ["passed"]
    assert not (tmp_path / "out").exists()


@pytest.mark.requirement("URS-VAL-004")
def test_a_run_that_cannot_write_its_records_ends_without_a_hand_over(
    ledger_db, protocol, tmp_path, monkeypatch
):
    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(audit, "put_blob", full)
    with pytest.raises(OSError, match="no space left"):
        runner.execute(protocol, executor=ACTOR, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.requirement("URS-VAL-009")
def test_the_hand_over_says_what_the_records_say(ledger_db, broken, tmp_path):
    told = runner.execute(broken, executor=ACTOR, out=tmp_path / "out")
    handed = json.loads((tmp_path / "out" / "report.json").read_text())
    assert handed["steps"] == told["steps"]
    proof = json.loads((tmp_path / "out" / "record.json").read_text())
    record = audit.Record.objects.get(pk=proof["record"])
    assert audit.content(record)["data"]["files"] == proof["files"]
    kept = audit.get_blob(proof["files"]["report.json"])
    assert kept == (tmp_path / "out" / "report.json").read_bytes()


@pytest.mark.requirement("URS-VAL-009")
def test_markup_in_a_result_is_shown_as_text(ledger_db, protocol, tmp_path):
    runner.execute(protocol, executor=ACTOR, out=tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "counted &lt;script&gt;" in page
    assert "<script" not in page
    assert "A &lt;b&gt;probe" in page


@pytest.mark.requirement("URS-VAL-009")
def test_two_runs_are_never_mixed_in_one_folder(ledger_db, protocol, tmp_path):
    with pytest.raises(FileExistsError):
        runner.execute(protocol, executor=ACTOR, out=tmp_path)


@pytest.mark.requirement("URS-VAL-003")
def test_a_step_for_a_requirement_that_does_not_exist_is_refused(protocol):
    @protocol.step("OQ-TST-099", verifies=["URS-TST-999"])
    def wrong(run):
        """It verifies nothing."""

    with pytest.raises(ProtocolInvalid, match="OQ-TST-099 verifies URS-TST-999"):
        runner.check(protocol)


@pytest.mark.requirement("URS-VAL-004")
def test_without_a_name_the_operating_systems_user_is_the_executor():
    assert run_protocol.executor(None).kind == "os_user"


@pytest.mark.requirement("URS-VAL-004")
@pytest.mark.requirement("URS-SIG-011")
def test_a_person_without_the_role_is_refused_and_the_refusal_recorded(ledger_db):
    with pytest.raises(CommandError, match="no active person with the role"):
        run_protocol.executor("nobody")
    assert audit.content(records("validation.run.refused")[0])["data"] == {"username": "nobody"}


@pytest.mark.requirement("URS-VAL-003")
def test_a_dry_run_lists_the_steps_and_runs_none(ledger_db, capsys):
    call_command("run_protocol", "OQ-AUD", dry_run=True)
    assert "OQ-AUD-030  high" in capsys.readouterr().out
    assert audit.Record.objects.filter(kind__startswith="validation.").count() == 0

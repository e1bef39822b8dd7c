"""The protocols pass on a sound installation and fail, named, on one that was weakened."""

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import sql

from audit import api as audit
from iq_oq_pq.iq import iq_platform
from iq_oq_pq.oq import oq_audit
from tests.audit.people import enter
from validation import runner, runs
from validation.protocols import perform, perform_all

PROTOCOLS = runner.installed()


def result_of(protocol, step):
    chosen = next(each for each in protocol.steps if each.id == step)
    return perform(chosen, actor=audit.os_user_actor())


def unexpected(result):
    return [(seen.what, seen.actual) for seen in result.observations if not seen.passed]


def assert_passed(protocol):
    for result in perform_all(protocol, actor=audit.os_user_actor()):
        assert unexpected(result) == []
        assert (result.outcome, result.error) == ("passed", None)


@pytest.mark.requirement("URS-VAL-007")
def test_the_platform_of_the_suite_is_qualified(ledger_db):
    assert_passed(iq_platform.protocol)


@pytest.mark.requirement("URS-VAL-008")
def test_the_record_store_is_qualified(sealed_db):
    assert_passed(oq_audit.protocol)


@pytest.mark.requirement("URS-VAL-007")
@pytest.mark.requirement("URS-AUD-001")
@pytest.mark.parametrize(
    ("weakening", "what"),
    [
        ("ALTER TABLE audit_block DISABLE TRIGGER audit_block_keep", "not ENABLE ALWAYS"),
        ("ALTER TABLE audit_block ENABLE TRIGGER audit_block_keep", "not ENABLE ALWAYS"),
        ("DROP TRIGGER audit_user_cites ON audit_user", "missing"),
        ("DROP TRIGGER audit_record_keep_all ON {partition}", "missing"),
    ],
)
def test_a_guard_that_is_missing_or_weak_fails_the_platform(ledger_db, as_role, weakening, what):
    weaken(as_role("superuser"), weakening)
    result = result_of(iq_platform.protocol, "IQ-PLATFORM-040")
    assert result.outcome == "failed"
    assert any(what in seen for seen, _ in unexpected(result))


@pytest.mark.requirement("URS-VAL-007")
@pytest.mark.requirement("URS-AUD-004")
@pytest.mark.parametrize(
    ("weakening", "what"),
    [
        ("GRANT UPDATE ON audit_record TO twin_application", "on the ledger beyond"),
        ("GRANT DELETE ON {partition} TO twin_application", "on partitions"),
        ("GRANT INSERT (leaves) ON audit_block TO twin_gate", "on the ledger beyond"),
        ("GRANT SELECT ON audit_credential TO PUBLIC", "everybody"),
        ("GRANT UPDATE ON audit_user TO twin_auditor", "beyond reading"),
        ("GRANT DELETE ON audit_user TO twin_application", "remove regulated rows"),
        ("REVOKE INSERT (header) ON audit_block FROM twin_sealer", "missing"),
    ],
)
def test_a_right_beyond_the_specification_fails_the_platform(ledger_db, as_role, weakening, what):
    weaken(as_role("superuser"), weakening)
    result = result_of(iq_platform.protocol, "IQ-PLATFORM-050")
    assert result.outcome == "failed"
    assert any(what in seen for seen, _ in unexpected(result))


@pytest.mark.requirement("URS-VAL-007")
@pytest.mark.requirement("URS-SIG-012")
def test_a_key_file_that_others_may_read_fails_the_platform(ledger_db, settings, tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir(mode=0o700)
    settings.LEDGER_KEY_FILE = folder / "ledger.key"
    settings.LEDGER_KEY_FILE.write_text("a key")
    settings.LEDGER_KEY_FILE.chmod(0o640)
    result = result_of(iq_platform.protocol, "IQ-PLATFORM-080")
    assert unexpected(result) == [("ledger.key", "0640")]


@pytest.mark.requirement("URS-VAL-008")
@pytest.mark.requirement("URS-AUD-001")
def test_a_ledger_that_accepts_changes_fails_and_loses_nothing(ledger_db, as_role):
    superuser = as_role("superuser")
    weaken(superuser, "GRANT UPDATE, DELETE, TRUNCATE ON audit_record TO twin_application")
    weaken(superuser, "ALTER TABLE audit_record DISABLE TRIGGER ALL")
    weaken(superuser, "ALTER TABLE {partition} DISABLE TRIGGER ALL")
    before = audit.Record.objects.count()
    result = result_of(oq_audit.protocol, "OQ-AUD-040")
    assert result.is_critical
    assert ("DELETE on audit_record", "accepted") in unexpected(result)
    assert audit.Record.objects.count() == before + 1  # the step's own probe


@pytest.mark.requirement("URS-VAL-008")
@pytest.mark.requirement("URS-AUD-003")
def test_a_row_that_a_superuser_altered_fails_the_comparison_with_the_ledger(ledger_db, as_role):
    enter("quinn", audit.Role.AUDITOR)
    superuser = as_role("superuser")
    weaken(superuser, "ALTER TABLE audit_rolegrant DISABLE TRIGGER ALL")
    weaken(superuser, "UPDATE audit_rolegrant SET role = 'qa_approver'")
    result = result_of(oq_audit.protocol, "OQ-AUD-100")
    assert result.outcome == "failed"
    ((what, actual), *_) = unexpected(result)
    assert what == "differences"
    assert "audit_rolegrant" in str(actual) and "qa_approver" in str(actual)


@pytest.mark.requirement("URS-VAL-008")
def test_without_a_sealer_the_step_that_waits_for_a_seal_fails(ledger_db, monkeypatch):
    wait = audit.wait_for_seal
    monkeypatch.setattr(audit, "wait_for_seal", lambda record: wait(record, timeout=0.2))
    result = result_of(oq_audit.protocol, "OQ-AUD-060")
    assert result.outcome == "failed"
    assert "is the sealer running?" in result.error


@pytest.mark.requirement("URS-VAL-004")
def test_the_command_runs_a_protocol_and_its_run_is_in_the_record_store(
    sealed_db, tmp_path, capsys
):
    call_command("run_protocol", "OQ-AUD", out=tmp_path / "handover")
    told = runs.run(runs.all_runs()[0]["run"])
    assert told["outcome"] == "passed"
    assert [step["step"] for step in told["steps"]] == [s.id for s in oq_audit.protocol.steps]
    assert "expected" in capsys.readouterr().out


@pytest.mark.requirement("URS-VAL-003")
def test_an_unknown_protocol_is_refused_with_the_choice(db):
    with pytest.raises(CommandError, match="choose from IQ-PLATFORM, OQ-AUD"):
        call_command("run_protocol", "OQ-NONE")


@pytest.mark.requirement("URS-VAL-003")
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_each_protocol_verifies_requirements_that_exist(protocol):
    assert runner.check(protocol)


def weaken(superuser: psycopg.Connection, statement: str) -> None:
    found = superuser.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'audit_record'::regclass ORDER BY 1"
    ).fetchone()
    partition = sql.Identifier(found[0])
    superuser.execute(sql.SQL(statement).format(partition=partition))
    superuser.commit()

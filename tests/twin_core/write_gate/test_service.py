"""One order is carried to the plant once, whatever happens to the gate on the way."""

import pytest

from audit import api as audit
from twin_core import outbox
from twin_core.data import clock, trust
from twin_core.insight import recommendations
from twin_core.models import OutboxTask, SetpointWrite
from twin_core.write_gate import service
from twin_core.write_gate.service import LinkLost, NotSealedYet, WriteRefused

SENT = ["twin_core.setpoint_write.leased", "twin_core.setpoint_write.sent"]


@pytest.mark.requirement("URS-WBK-005")
def test_an_approved_order_is_written_read_back_and_confirmed(bench):
    made = bench()
    write = made.gate()
    assert made.link.written == [8.2]
    assert (write.state, write.read_back, made.state()) == ("confirmed", "8.2", "confirmed")
    assert made.kinds() == [*SENT, "twin_core.setpoint_write.confirmed"]
    actors = {
        audit.content(record)["actor"]["kind"]
        for record in audit.Record.objects.filter(kind__startswith="twin_core.setpoint_write")
    }
    assert actors == {"process"}


@pytest.mark.requirement("URS-WBK-005")
def test_a_controller_that_shows_the_value_with_its_next_scan_is_confirmed(bench):
    made = bench()
    shown = iter([6.4, 6.4, 8.2])
    plain = made.link.read
    made.link.read = lambda point: {**plain(point), "held": next(shown)}
    assert made.gate().state == "confirmed"


def killed():
    from tests.twin_core.write_gate.bench import Killed

    return Killed()


CRASHES = [  # where the gate dies, what the plant has taken by then, and how it ends
    ("before send", 1, "confirmed"),
    ("before write", 0, "deviation"),
    ("after write", 1, "confirmed"),
    ("read 2", 1, "confirmed"),
    ("before end", 1, "confirmed"),
]


@pytest.mark.requirement("URS-WBK-005")
@pytest.mark.requirement("URS-WBK-006")
@pytest.mark.parametrize(("moment", "written", "end"), CRASHES, ids=[c[0] for c in CRASHES])
def test_a_gate_killed_at_any_step_never_writes_twice(bench, monkeypatch, moment, written, end):
    made = bench()
    inside = {"before send": "_begin", "before end": "_judge"}.get(moment)
    with monkeypatch.context() as patch, pytest.raises(type(killed())):
        if inside is None:
            made.link.faults[moment] = killed()
        else:
            patch.setattr(service, inside, lambda *_: (_ for _ in ()).throw(killed()))
        made.gate()
    write = made.gate()
    assert len(made.link.written) == written
    assert (write.state, made.state()) == (end, end)
    assert made.gate().state == end
    assert len(made.link.written) == written


FAULTS = [
    ("before write", LinkLost("no answer"), 0, "deviation"),  # settled: the plant holds the old one
    ("after write", LinkLost("no answer"), 1, "confirmed"),
    ("read 2", LinkLost("no answer"), 1, "confirmed"),
    ("before write", WriteRefused("BadOutOfRange"), 0, "deviation"),
]


@pytest.mark.requirement("URS-WBK-005")
@pytest.mark.parametrize(("moment", "fault", "written", "end"), FAULTS)
def test_an_unknown_result_is_settled_by_reading(bench, moment, fault, written, end):
    made = bench()
    made.link.faults[moment] = fault
    write = made.gate()
    assert (len(made.link.written), write.state, made.state()) == (written, end, end)
    if isinstance(fault, LinkLost):
        assert "twin_core.setpoint_write.unknown" in made.kinds()
    else:
        assert "the plant refused the value: BadOutOfRange" in write.reason


@pytest.mark.requirement("URS-WBK-005")
def test_another_value_read_back_is_a_deviation(bench):
    made = bench()
    made.link.write = lambda point, value: made.link.written.append(value)
    write = made.gate()
    assert (write.state, write.read_back) == ("deviation", "6.4")


@pytest.mark.requirement("URS-WBK-005")
def test_a_write_is_not_settled_by_reading_another_batch(bench):
    made = bench()
    made.link.faults["after write"] = killed()
    with pytest.raises(type(killed())):
        made.gate()
    made.link.batch = "PLANT-201-8"
    write = made.gate()
    assert (write.state, made.link.written) == ("deviation", [8.2])
    assert "gone on to batch PLANT-201-8" in write.reason


@pytest.mark.requirement("URS-WBK-006")
def test_an_order_delivered_twice_is_written_once(bench):
    made = bench()
    with made.as_gate():
        task = made.lease()
        service.carry_out(task, made.link)
        with pytest.raises(outbox.Overtaken):
            service.carry_out(task, made.link)
    assert made.link.written == [8.2]
    assert SetpointWrite.objects.count() == 1


@pytest.mark.requirement("URS-WBK-006")
def test_a_gate_that_was_thought_dead_writes_nothing(bench):
    made = bench()
    with made.as_gate():
        slow, fast = made.lease(), made.lease()
        assert fast.token == slow.token + 1
        with pytest.raises(outbox.Overtaken):
            service.carry_out(slow, made.link)
        assert made.link.written == []
        service.carry_out(fast, made.link)
    assert made.link.written == [8.2]
    assert made.write().token == fast.token


@pytest.mark.requirement("URS-WBK-006")
def test_a_second_order_for_one_approval_is_void_and_on_record(bench):
    made = bench()
    assert made.gate().state == "confirmed"
    outbox.ask("write", "again", recommendation=str(made.order.pk))
    made.gate()
    assert made.link.written == [8.2]
    assert made.kinds()[-1] == "twin_core.order.void"
    assert "a write for this approval exists already" in made.last_reason()


@pytest.mark.requirement("URS-WBK-002")
def test_an_order_waits_for_its_seal(bench):
    made = bench(sealed=False)
    with made.as_gate(), pytest.raises(NotSealedYet):
        service.carry_out(made.lease(), made.link)
    assert made.link.written == []
    made.ledger.seal()
    assert made.gate().state == "confirmed"


@pytest.mark.requirement("URS-WBK-002")
def test_an_order_that_nobody_signed_is_void(bench):
    made = bench(sign=False)
    outbox.ask("write", "forged", recommendation=str(made.order.pk))
    made.gate()
    assert (made.link.written, made.write(), made.state()) == ([], None, "proposed")
    assert made.kinds() == ["twin_core.order.void"]
    assert "0 valid signatures of 1" in made.last_reason()


@pytest.mark.requirement("URS-WBK-002")
def test_an_order_whose_record_was_altered_is_refused(bench, as_role):
    made = bench()
    owner = as_role("superuser")
    owner.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
    owner.execute(
        'UPDATE audit_record SET payload = replace(payload, \'"value":"8.2"\', \'"value":"9.2"\') '
        "WHERE kind = 'twin_core.recommendation.approved'"
    )
    owner.commit()
    write = made.gate()
    assert (made.link.written, write.state) == ([], "refused")
    assert "record is not what was signed" in write.reason


REFUSED = [
    ("URS-WBK-001", "switched off", lambda made, settings: off(settings)),
    ("URS-WBK-008", "trust level does not allow", lambda made, _: lower(made)),
    ("URS-WBK-004", "expired at 180.00 h", lambda made, _: setattr(made.link, "process_h", 181.0)),
    ("URS-WBK-004", "mode local", lambda made, _: setattr(made.link, "mode", "local")),
    ("URS-WBK-004", "interlock", lambda made, _: setattr(made.link, "interlock_clear", None)),
    ("URS-WBK-004", "signers were shown 6.4", lambda made, _: setattr(made.link, "held", 7.0)),
    ("URS-WBK-003", "more than one step", lambda made, _: setattr(made.link, "held", 3.0)),
    ("URS-WBK-004", "the approval is for", lambda made, _: setattr(made.link, "batch", "OTHER")),
]


def off(settings):
    settings.WRITE_BACK_ENABLED = False


def lower(made):
    equipment = made.order.batch.equipment
    trust.lower_trust(equipment, "advise", actor=made.site.user("operator"), reason="alarm")


@pytest.mark.parametrize(
    ("words", "spoil"),
    [
        pytest.param(words, spoil, id=words, marks=pytest.mark.requirement(requirement))
        for requirement, words, spoil in REFUSED
    ],
)
def test_a_refused_order_leaves_nothing_and_is_on_record(bench, settings, words, spoil):
    made = bench()
    spoil(made, settings)
    write = made.gate()
    assert made.link.written == []
    assert (write.state, made.state()) == ("refused", "expired")
    assert words in write.reason
    assert made.kinds() == [SENT[0], "twin_core.setpoint_write.refused"]
    assert made.gate().state == "refused"


@pytest.mark.requirement("URS-WBK-009")
def test_a_changed_tag_map_stops_the_gate(bench, settings, tmp_path):
    made = bench()
    changed = tmp_path / "twin_core/equipment/bioreactor"
    for row in made.order.batch.equipment.configuration.all():
        path = tmp_path / row.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((settings.BASE_DIR / row.path).read_bytes())
    tags = changed / "tag_maps/BR-201.tags.yaml"
    tags.write_text(tags.read_text().replace("limits: [0, 15]", "limits: [0, 150]"))
    settings.BASE_DIR = tmp_path
    write = made.gate()
    assert (made.link.written, write.state) == ([], "refused")
    assert "is not the file that was signed for BR-201" in write.reason


@pytest.mark.requirement("URS-WBK-004")
def test_without_a_link_an_order_waits_and_is_refused_when_it_has_expired(bench, monkeypatch):
    made = bench()
    made.link.faults["read 1"] = LinkLost("no session")
    with made.as_gate():
        task = made.lease()
        with pytest.raises(LinkLost):
            service.carry_out(task, made.link)
        outbox.give_back(task)
        assert OutboxTask.objects.get(pk=task.pk).attempts == 0
    monkeypatch.setattr(clock, "process_now", lambda batch: made.order.expires_h + 1)
    made.link.faults["read 2"] = LinkLost("no session")
    write = made.gate()
    assert (made.link.written, write.state) == ([], "refused")
    assert "process time cannot be read" in write.reason


@pytest.mark.requirement("URS-WBK-006")
def test_an_order_that_expired_between_check_and_send_is_void(bench, monkeypatch):
    made = bench()
    checked = service.gate.refusals

    def expire_meanwhile(*facts):
        found = checked(*facts)
        with monkeypatch.context() as patch:
            patch.setattr(clock, "process_now", lambda batch: made.order.expires_h + 1)
            assert recommendations.expire_stale() == 1
        return found

    monkeypatch.setattr(service.gate, "refusals", expire_meanwhile)
    made.gate()
    assert (made.link.written, made.state()) == ([], "expired")
    assert made.kinds() == ["twin_core.order.void"]


@pytest.mark.requirement("URS-WBK-007")
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO twin_core_recommendation SELECT * FROM twin_core_recommendation",
        "UPDATE twin_core_equipment SET trust = 'bounded_automatic'",
        "UPDATE twin_core_configurationfile SET digest = repeat('0', 64)",
        "INSERT INTO audit_signature SELECT * FROM audit_signature",
        "INSERT INTO twin_core_outboxtask (key, name) VALUES ('x', 'write')",
        "SELECT * FROM audit_credential",
        "DELETE FROM twin_core_setpointwrite",
    ],
)
def test_the_gates_database_role_can_do_no_more_than_its_work(as_role, statement):
    from psycopg import errors

    with pytest.raises(errors.InsufficientPrivilege):
        as_role("gate").execute(statement)

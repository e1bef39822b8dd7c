"""Who may open an epoch, for which ledger, and what a closed one answers."""

import pytest
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.test import Client, RequestFactory
from django.utils import timezone
from psycopg import errors

from audit import api, chain, checkpoint, ledger, sealer
from audit.models import Block, Record, Standing
from audit.proofs import SignatureRefused
from audit.recovery import differences, epochs, forks, standing
from audit.refusals import NotEntitled
from tests.audit.people import enter
from tests.audit.sealing import ORIGIN
from tests.faults.test_restore import Past, acting_for_recovery, append, grow, open_by_two
from twin_core.config import errors as answers
from twin_core.config.environment import database_settings
from twin_core.config.processes import sign_in_as
from twin_core.web import errors as pages
from twin_core.web import health_pages

pytestmark = pytest.mark.requirement("URS-AUD-041")


@pytest.fixture
def closed(services, ledger):
    """A restored ledger that lacks five records, closed by its sealer, with two people in it."""
    people = enter("ada", "qa_approver"), enter("bert", "system_administrator")
    append()
    ledger.seal()
    past = Past(services, ledger)
    grow(ledger, 5)
    with past.brought_back() as restored:
        restored.people = people
        with pytest.raises(sealer.LedgerClosed):
            restored.seal()
        yield restored


def proofs(closed, count=2):
    now = timezone.now()
    return [(each.user, each.prove(now)) for each in closed.people[:count]]


def test_the_fork_record_tells_both_heads_the_loss_and_who_signed(services, closed):
    before = closed.outside.latest()
    shown, fork = open_by_two(services, closed, *closed.people)
    told = ledger.content(fork)
    assert told["data"]["lost"] == {"from": shown.header.tree_size, "below": shown.lost.stop}
    assert told["data"]["old_head"]["tree_size"] == shown.lost.stop
    assert f"block {told['data']['old_head']['block']['number']} " in before
    assert told["data"]["kept"]["block"]["hash"] == shown.header.hash
    assert told["data"]["new"]["origin"] == f"{ORIGIN}/epoch/1"
    assert forks.signers(fork) == [person.user.pk for person in closed.people]
    closed.seal()
    assert closed.outside.latest().startswith(f"{ORIGIN}/epoch/1\n")
    assert [s.printed_name for s in api.signatures_of(fork)] == ["Ada Example", "Bert Example"]


@pytest.mark.parametrize("who", [(0,), (0, 0), (1, 1)])
def test_one_person_does_not_open_an_epoch(services, closed, who):
    with acting_for_recovery(services, closed.name):
        shown = epochs.situation(ORIGIN, closed.outside)
        ready = dict(enumerate(proofs(closed)))
        with pytest.raises(epochs.EpochRefused, match="2 different persons"):
            epochs.open_epoch(shown, signed_by=[ready[n] for n in who], reason="alone")
    assert forks.pending() is None


def test_the_first_signature_is_a_qa_approvers(services, closed):
    closed.people = closed.people[::-1]
    with acting_for_recovery(services, closed.name):
        shown = epochs.situation(ORIGIN, closed.outside)
        with pytest.raises(NotEntitled, match="for a qa approver"):
            epochs.open_epoch(shown, signed_by=proofs(closed), reason="order")
    assert forks.pending() is None
    assert not Record.objects.filter(kind=chain.FORK_KIND).exists()


def test_a_wrong_password_opens_nothing_and_is_recorded(services, closed):
    with acting_for_recovery(services, closed.name), pytest.raises(SignatureRefused):
        closed.people[0].prove(timezone.now(), password="guessed")
    assert Record.objects.filter(kind="audit.proof.refused").exists()
    assert not standing.is_open()


def test_an_open_ledger_needs_no_epoch(ledger):
    append()
    ledger.seal()
    with pytest.raises(epochs.EpochRefused, match="the ledger is open"):
        epochs.situation(ORIGIN, ledger.outside)


def test_an_epoch_is_opened_once(services, closed):
    open_by_two(services, closed, *closed.people)
    with pytest.raises(epochs.EpochRefused, match="waits for the sealer"):
        epochs.situation(ORIGIN, closed.outside)


def test_what_was_shown_must_still_be_so(services, closed):
    with acting_for_recovery(services, closed.name):
        shown = epochs.situation(ORIGIN, closed.outside)
        signed_by = proofs(closed)
    with closed.as_sealer():
        standing.close("another finding")
    with (
        acting_for_recovery(services, closed.name),
        pytest.raises(epochs.EpochRefused, match="not as it was shown"),
    ):
        epochs.open_epoch(shown, signed_by=signed_by, reason="late")


def test_a_fork_record_for_another_cluster_is_not_sealed(services, closed, monkeypatch):
    open_by_two(services, closed, *closed.people)
    monkeypatch.setattr(sealer, "cluster", lambda: ("7000000000000000000", 9))
    with pytest.raises(sealer.LedgerClosed, match="signed for another database cluster"):
        closed.seal()
    assert Block.objects.count() == 1


def test_a_recovered_cluster_that_lacks_nothing_still_needs_its_epoch(
    services, ledger, monkeypatch
):
    people = enter("ada", "qa_approver"), enter("bert", "qa_reviewer")
    append()
    ledger.seal()
    monkeypatch.setattr(sealer, "cluster", lambda: ("7000000000000000000", 2))
    with pytest.raises(sealer.LedgerClosed, match="another database cluster"):
        ledger.seal()
    shown, _ = open_by_two(services, ledger, *people)
    assert str(shown.lost) == "nothing is lost"
    ledger.seal()
    last = chain.Header.decode(Block.objects.order_by("-number")[0].header.encode())
    assert (last.epoch, last.system_identifier, last.timeline) == (1, "7000000000000000000", 2)
    assert ledger.verify().finding is None


@pytest.mark.requirement("URS-AUD-040")
@pytest.mark.parametrize("role", ["application", "sealer", "gate", "owner", "superuser"])
def test_nobody_but_the_act_writes_a_fork_record(ledger_db, as_role, role):
    with pytest.raises(errors.CheckViolation, match="record_forks_by_act"):
        as_role(role).execute(
            "INSERT INTO audit_record (stream, kind, payload) VALUES ('ledger', %s, %s)",
            [chain.FORK_KIND, '{"kind":"audit.ledger.forked","stream":"ledger"}'],
        )


@pytest.mark.requirement("URS-AUD-040")
@pytest.mark.parametrize("role", ["application", "gate", "auditor"])
def test_no_writer_opens_the_ledger(ledger_db, as_role, role):
    for statement in (
        "SELECT setval('audit_open', ledger_server_start())",
        "UPDATE audit_standing SET is_open = true",
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            as_role(role).execute(statement)


@pytest.mark.requirement("URS-AUD-040")
def test_the_standing_is_not_deleted(ledger_db, as_role):
    with pytest.raises(errors.IntegrityError, match="refused"):
        as_role("superuser").execute("DELETE FROM audit_standing")
    with pytest.raises(TypeError):
        Standing.objects.get().delete()


@pytest.mark.requirement("URS-AUD-040")
def test_an_insert_into_a_closed_ledger_is_an_outage_to_its_writers(closed):
    with pytest.raises(OperationalError) as refused:
        append()
    assert standing.refusal_in(refused.value).startswith("the ledger is closed: after a restore")
    assert standing.refusal_in(ValueError("other")) is None


@pytest.mark.requirement("URS-AUD-040")
def test_page_and_interface_say_that_the_ledger_is_closed(closed):
    refused = None
    try:
        append()
    except OperationalError as error:
        refused = error
        page = pages.failed(RequestFactory().get("/trail/"))
        told = answers.failed(RequestFactory().get("/api/records/"))
    assert refused is not None
    assert (page.status_code, told.status_code) == (503, 503)
    assert b"The ledger is closed" in page.content
    assert b"5 are missing" in page.content
    assert b"ledger_closed" in told.content


@pytest.mark.requirement("URS-AUD-040")
def test_the_page_of_health_shows_a_closed_ledger_first_of_all(closed):
    tile = health_pages.sealer(timezone.now())
    assert (tile.state, tile.value) == ("failed", "ledger closed")
    assert "5 are missing" in tile.words


def test_the_command_signs_in_as_the_administrator_for_the_recovery_role():
    admin = "postgresql://postgres@/postgres?host=/run/twin"
    given = {
        "TWIN_DATABASE_ADMIN_URL": admin,
        "TWIN_DATABASE_URL": "postgresql://twin_application:pw@/twin?host=/run/twin",
    }
    sign_in_as("open_epoch", given)
    settings = database_settings("TWIN_DATABASE_URL", given["TWIN_DATABASE_URL"])
    found = [settings[name] for name in ("USER", "NAME", "HOST")]
    assert found == ["postgres", "twin", "/run/twin"]
    assert settings["OPTIONS"] == {"options": "-c role=twin_recovery"}


@pytest.mark.requirement("URS-AUD-040")
def test_nobody_signs_in_while_the_ledger_is_closed(closed):
    caller = Client(raise_request_exception=False)
    given = {"username": "ada", "password": closed.people[0].password, "code": "000000"}
    answer = caller.post("/api/session/", given, content_type="application/json")
    assert answer.status_code == 503
    assert answer.json()["code"] == "ledger_closed"
    assert "5 are missing" in answer.json()["detail"]


@pytest.mark.requirement("URS-AUD-040")
def test_an_administrators_migration_may_note_itself_before_the_check(ledger_db, as_role):
    superuser = as_role("superuser")
    superuser.execute("SELECT setval('audit_open', 1)")
    superuser.execute("CREATE TABLE another_table (id integer)")
    superuser.commit()
    with pytest.raises(OperationalError, match="not checked yet"), transaction.atomic():
        api.append(stream="test", kind="test.fact.noted")


@pytest.mark.requirement("URS-AUD-040")
def test_a_server_that_counts_transactions_from_below_the_last_block_is_refused(
    services, ledger, monkeypatch
):
    append()
    real = sealer.horizon
    with monkeypatch.context() as far_ahead:  # sealed where the counter had come further
        far_ahead.setattr(sealer, "horizon", lambda: real() + 1_000_000)
        assert ledger.seal() > 0
    with pytest.raises(sealer.LedgerClosed, match=r"next transaction is \d+, below \d+ where"):
        ledger.seal()
    assert not standing.is_open()
    assert "counts anew" in standing.current().reason
    with (
        acting_for_recovery(services, ledger.name),
        pytest.raises(epochs.EpochRefused, match="counts anew"),
    ):
        epochs.situation(ORIGIN, ledger.outside)


@pytest.mark.requirement("URS-AUD-040")
def test_a_server_that_has_counted_on_is_in_order(ledger):
    append()
    ledger.seal()
    last = chain.Header.decode(Block.objects.order_by("-number")[0].header.encode())
    assert differences.of_counter(last, last.transaction_below) == ""
    assert differences.of_counter(last, last.transaction_below - 1) != ""
    assert sealer.next_transaction() >= last.transaction_below
    ledger.seal()
    assert standing.is_open()


def test_the_loss_begins_where_the_histories_part():
    def root_at(size):
        return b"ours" if size <= 30 else None

    def seen(size, root=b"ours"):
        return differences.Seen("folder", size, root, block=(1, "00"))

    parted = [seen(10), seen(20, b"theirs"), seen(25, b"theirs"), seen(40)]
    lost = differences.loss(30, parted, root_at)
    assert (lost.start, lost.stop, lost.best) == (10, 40, parted[-1])
    assert str(differences.loss(30, [seen(30)], root_at)) == "nothing is lost"
    assert str(differences.loss(30, [seen(31)], root_at)) == "1 record is lost: sequence 30"


def test_more_is_missing_than_the_fork_record_told_is_found(services, closed):
    shown, _ = open_by_two(services, closed, *closed.people)
    closed.seal()
    assert closed.verify().finding is None
    size = shown.lost.stop + 7
    beyond = checkpoint.Checkpoint(ORIGIN, size, b"\7" * 32, 99, "0" * 64)
    closed.outside.keep(checkpoint.sign(beyond, name=ORIGIN, key=closed.key))
    assert f"covers {size}: the tail was cut" in closed.verify().finding.what


def test_the_command_shows_what_was_lost_and_signs_nothing(services, closed, settings, capsys):
    settings.CHECKPOINT_DIR, settings.LEDGER_ORIGIN = closed.outside.folder, ORIGIN
    with acting_for_recovery(services, closed.name):
        call_command("open_epoch", "--show")
    said = capsys.readouterr().out
    assert "Between them: 5 records are lost" in said
    assert f"It would go on as {ORIGIN}/epoch/1" in said
    assert forks.pending() is None


def test_the_command_asks_both_persons_for_both_components(services, closed, settings, monkeypatch):
    settings.CHECKPOINT_DIR, settings.LEDGER_ORIGIN = closed.outside.folder, ORIGIN
    now = timezone.now()
    typed = [text for each in closed.people for text in (each.password, each.code(now))]
    monkeypatch.setattr("getpass.getpass", lambda _prompt: typed.pop(0))
    with acting_for_recovery(services, closed.name):
        call_command("open_epoch", first="ada", second="bert", reason="disk lost")
    assert typed == []
    closed.seal()
    assert standing.is_open()

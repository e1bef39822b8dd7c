"""Publishing under witnesses: the quorum, outages, and copies of a ledger that must stop."""

import pytest
from django.db import OperationalError, transaction

from audit import api, checkpoint
from audit.models import Checkpoint, Publication, Record
from audit.outside import fencing, policy, publishing, witnesses
from audit.outside.publishing import Publisher, last_publication, newest_note
from audit.sealer import LedgerClosed
from audit.witness.protocol import SIZE, Answer
from tests.audit.made_ledger import key_of
from tests.audit.sealing import ORIGIN
from tests.audit.witness import logs

SHOWN_BY = "witness witness.example/w0"


def append(count: int = 1) -> None:
    with transaction.atomic():
        for _ in range(count):
            api.append(stream="test", kind="test.fact.noted")


def told(kind: str) -> list[dict]:
    return [api.content(record) for record in Record.objects.filter(kind=kind).order_by("id")]


@pytest.fixture
def publisher(ledger, settings, monkeypatch):
    """A publisher to step by hand, for which any lateness is an outage."""

    def make() -> Publisher:
        return Publisher(settings.WITNESSES_FILE, ledger.outside)

    monkeypatch.setattr(publishing, "UNMET_AFTER", 0.0)
    monkeypatch.setattr(witnesses, "FIRST_PAUSE", 0.0)
    return make


def step(ledger, publisher) -> None:
    with ledger.as_sealer():
        publisher.step()


@pytest.mark.requirement("URS-AUD-031")
def test_a_checkpoint_is_published_when_its_quorum_has_cosigned(ledger, watch, publisher):
    both = watch(2)
    work = publisher()
    for size in (3, 300):
        append(size)
        ledger.seal()
        step(ledger, work)
        newest = last_publication()
        assert newest.tree_size == Checkpoint.objects.order_by("-pk").first().tree_size
        keys = [one.folder.public for one in both]
        signed = checkpoint.signers(checkpoint.parse_note(newest.note), [*ledger.keys, *keys])
        assert set(signed) == {*ledger.keys, *keys}
        assert newest.note in ledger.outside.all()  # with its cosignatures
        assert ledger.outside.latest() == newest.note
    assert told("audit.witness.unmet") == []
    assert [len(one["data"]["witnesses"]) for one in told("audit.witness.policy_changed")] == [2]


@pytest.mark.requirement("URS-AUD-031")
def test_one_dead_witness_of_two_does_not_hinder_a_quorum_of_one(ledger, watch, publisher):
    first, _ = watch(2, quorum=1)
    first.stop()
    append()
    ledger.seal()
    work = publisher()
    step(ledger, work)
    assert last_publication().tree_size == 1
    first.start()


@pytest.mark.requirement("URS-AUD-031")
def test_an_outage_is_recorded_once_and_its_end_with_size_and_seconds(ledger, watch, publisher):
    (only,) = watch()
    only.stop()
    work = publisher()
    for _ in range(4):
        append()
        assert ledger.seal() > 0  # sealing goes on
        step(ledger, work)
    assert last_publication() is None
    (unmet,) = told("audit.witness.unmet")
    assert unmet["reason"] == "0 of 1 witnesses have cosigned"
    assert "witness.example/w0" in unmet["data"]["problems"]
    work = publisher()  # a new start in the outage says nothing again
    step(ledger, work)
    only.start()
    for _ in range(2):
        ledger.seal()
        step(ledger, work)
    assert len(told("audit.witness.unmet")) == 1
    (met,) = told("audit.witness.met")
    assert met["data"]["tree_size"] == last_publication().tree_size - 1
    assert float(met["data"]["lasted"]["value"]) >= 0
    assert ledger.verify().ok


@pytest.mark.requirement("URS-AUD-031")
def test_a_short_absence_is_no_outage(ledger, watch, publisher, monkeypatch):
    monkeypatch.setattr(publishing, "UNMET_AFTER", 60.0)
    watch()[0].stop()
    append()
    ledger.seal()
    step(ledger, publisher())
    assert told("audit.witness.unmet") == []


@pytest.mark.requirement("URS-AUD-031")
def test_a_cosignature_of_another_time_or_key_does_not_count(ledger, watch, publisher, monkeypatch):
    (only,) = watch()
    append()
    ledger.seal()
    monkeypatch.setattr(witnesses, "CLOCKS_APART", -1)  # no clock is right enough
    work = publisher()
    step(ledger, work)
    assert last_publication() is None
    (unmet,) = told("audit.witness.unmet")
    assert "compare both clocks" in unmet["data"]["problems"]["witness.example/w0"]
    stranger = checkpoint.cosign("x\n", name=only.folder.public.name, key=ledger.key, at=1)
    one = witnesses.Asked(policy.read(work.policy_file).witnesses[0])
    note = Checkpoint.objects.get(pk=1).note
    assert witnesses._with_line(note, one, f"{stranger}\n", 1) == note
    assert "does not count" in one.problem


@pytest.mark.requirement("URS-AUD-031")
def test_a_mistake_in_the_policy_is_an_outage_and_a_change_is_a_record(
    ledger, watch, publisher, settings
):
    watch()
    right = settings.WITNESSES_FILE.read_text()
    append()
    ledger.seal()
    work = publisher()
    settings.WITNESSES_FILE.write_text(right.replace("quorum 1", "quorum 7"))
    step(ledger, work)
    assert "quorum is 7 of 1" in told("audit.witness.unmet")[0]["reason"]
    settings.WITNESSES_FILE.write_text(right)
    step(ledger, work)
    settings.WITNESSES_FILE.unlink()
    step(ledger, work)
    assert len(told("audit.witness.met")) == 1
    assert [one["data"]["quorum"] for one in told("audit.witness.policy_changed")] == [1, 0]


def test_without_witnesses_each_checkpoint_is_published(ledger, settings, tmp_path, publisher):
    settings.WITNESSES_FILE = tmp_path / "none.txt"
    append()
    ledger.seal()
    step(ledger, publisher())
    assert Publication.objects.count() == 0
    assert newest_note(None) == Checkpoint.objects.get().note
    assert witnesses.largest_seen() is None


@pytest.mark.requirement("URS-AUD-031")
def test_a_stricter_policy_has_the_same_tree_cosigned_again(ledger, watch, publisher, settings):
    both = watch(2, quorum=1)
    both[1].stop()
    append()
    ledger.seal()
    work = publisher()
    step(ledger, work)
    assert len(work.rounds.policy.cosigners(last_publication().note)) == 1
    both[1].start()
    text = settings.WITNESSES_FILE.read_text()
    settings.WITNESSES_FILE.write_text(text.replace("quorum 1", "quorum 2"))
    step(ledger, work)
    assert len(work.rounds.policy.cosigners(last_publication().note)) == 2
    assert list(Publication.objects.values_list("tree_size", flat=True)) == [1, 1]


def seen_elsewhere(witness, ledger, size: int) -> None:
    """Have the witness cosign another history of this ledger, signed with its own key."""
    leaves = logs.leaves_of("elsewhere", size)
    named = {"origin": ORIGIN, "name": ORIGIN, "key": ledger.key}
    assert witness.witness.add_checkpoint(logs.request(0, leaves, **named)).status == 200


@pytest.mark.requirement("URS-AUD-032")
@pytest.mark.parametrize(
    ("size", "said"), [(10, "10 records, this ledger has 3"), (3, "another tree of 3"), (2, "2")]
)
def test_a_history_that_ours_does_not_go_on_from_stops_the_sealer_and_is_recorded(
    ledger, watch, publisher, size, said
):
    (only,) = watch()
    seen_elsewhere(only, ledger, size)
    append(3)
    ledger.seal()
    work = publisher()
    step(ledger, work)
    assert said in work.refusal
    assert last_publication() is None
    (fenced,) = told("audit.writer.fenced")
    assert fenced["reason"] == work.refusal
    assert bool(fenced["data"]["shown"]) == (size == 10)  # the proof: our own key signed it
    with pytest.raises(OperationalError, match="closed"):  # read-only from now on
        append()
    with ledger.as_sealer():
        restarted = ledger.sealer(others=fencing.watchers(ORIGIN))
        assert any(f"{size} records" in found for found in restarted.found)
        with pytest.raises(LedgerClosed, match="nobody has opened an epoch"):
            restarted.seal()
    assert len(told("audit.writer.fenced")) == 1


@pytest.mark.requirement("URS-AUD-032")
def test_a_witness_that_shows_nothing_is_remembered_until_it_is_asked_no_more(
    ledger, watch, publisher, settings
):
    (only,) = watch()
    only.witness.newest = lambda origin_hash: Answer(404, "not shown here\n")
    seen_elsewhere(only, ledger, 10)
    append(3)
    ledger.seal()
    step(ledger, publisher())
    assert told("audit.writer.fenced")[0]["data"]["shown"] is None
    with ledger.as_sealer():
        restarted = ledger.sealer(others=fencing.watchers(ORIGIN))
        assert restarted.found == [
            f"{SHOWN_BY} has seen 10 records, the database has 3: 7 are missing"
        ]
        settings.WITNESSES_FILE.unlink()  # a person has found that it was the witness who lied
        assert ledger.sealer(others=fencing.watchers(ORIGIN)).found == []
    append()


@pytest.mark.requirement("URS-AUD-032")
def test_the_ledger_that_the_witnesses_know_begins(ledger, watch, publisher):
    (only,) = watch()
    append(3)
    ledger.seal()
    step(ledger, publisher())
    append(3)
    ledger.seal()
    with ledger.as_sealer():
        assert ledger.sealer(others=fencing.watchers(ORIGIN)).found == []
        assert witnesses.largest_seen() == (3, only.witness.state.held(ORIGIN).root, SHOWN_BY)
        only.stop()
        # nobody answers: nothing is known to be wrong
        assert ledger.sealer(others=fencing.watchers(ORIGIN)).found == []
    with pytest.raises(OSError, match="no answer"):
        witnesses.elsewhere()[0].seen_elsewhere()
    only.start()


@pytest.mark.requirement("URS-AUD-032")
def test_a_larger_tree_that_our_key_did_not_sign_stops_no_start(ledger, watch):
    (only,) = watch()
    stranger = key_of("a stranger")
    only.folder.accept(ORIGIN, checkpoint.vkey(ORIGIN, stranger))
    named = {"origin": ORIGIN, "name": ORIGIN, "key": stranger}
    only.witness.add_checkpoint(logs.request(0, logs.leaves_of("x", 9), **named))
    append()
    ledger.seal()
    with ledger.as_sealer():
        assert ledger.sealer(others=fencing.watchers(ORIGIN)).found == []
    with pytest.raises(OSError, match="strange checkpoint"):
        witnesses.elsewhere()[0].seen_elsewhere()


@pytest.mark.requirement("URS-AUD-032")
def test_a_witness_behind_is_brought_up_and_one_that_names_sizes_at_random_is_left_alone(
    ledger, watch, publisher
):
    (only,) = watch()
    append(2)
    ledger.seal()
    work = publisher()
    step(ledger, work)
    append(3)
    ledger.seal()
    step(ledger, publisher())  # a new start knows nothing of the witness: it asks and is told
    assert last_publication().tree_size == Checkpoint.objects.order_by("-pk").first().tree_size
    sizes = iter("1203")
    only.witness.add_checkpoint = lambda body: _conflict(next(sizes))
    append()
    ledger.seal()
    late = publisher()
    step(ledger, late)
    assert "another size each time" in late.rounds.problems()["witness.example/w0"]
    assert late.refusal is None


def _conflict(size: str):
    return Answer(409, f"{size}\n", SIZE)

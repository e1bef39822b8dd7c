"""The ledger's key turned by two persons, seen by everybody, without a record lost."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from audit import api, checkpoint, keys, verification
from audit.models import Checkpoint, Record, Role
from audit.outside import turning
from audit.outside.sealing import KeyTurner, settle_key
from audit.outside.signed import KeyTurns
from audit.refusals import NotEntitled
from tests.audit.made_ledger import key_of
from tests.audit.people import NOON, STEP, enter
from tests.audit.sealing import ORIGIN


class Site:
    """A ledger with its key's files, its two persons, and a sealer that turns."""

    def __init__(self, ledger, folder) -> None:
        self.ledger = ledger
        self.place = turning.KeyPlace(folder / "ledger.key", folder / "ledger.pub", ORIGIN)
        turning.replace_file(self.place.private, ledger.key.private_bytes(*turning._PEM))
        turning.replace_file(self.place.public, f"{ledger.keys[0]}\n".encode())
        self.administrator = enter("ada", Role.SYSTEM_ADMINISTRATOR)
        self.approver = enter("quentin", Role.QA_APPROVER)
        self.codes = 0

    def people(self):
        return self.administrator, self.approver

    def proofs(self, *people):
        """Have each prove who they are, with a code that was not used before."""
        self.codes += 1
        moment = NOON + self.codes * STEP
        return [(one.user, one.prove(now=moment)) for one in people]

    def rotate(self, monkeypatch, **options) -> checkpoint.PublicKey:
        signers = self.proofs(self.administrator, self.approver)
        moment = NOON + self.codes * STEP + timedelta(seconds=1)
        monkeypatch.setattr("audit.signatures.timezone.now", lambda: moment)
        return turning.rotate(self.place, signers=signers, reason="its time was over", **options)

    def sealer(self):
        """A sealer as its process starts it."""
        settle_key(self.place)
        work = self.ledger.sealer()
        work.key = keys.signing_key(self.place.private)
        return work, KeyTurner(self.place, work)

    def second(self, work, turner, records: int = 1) -> str:
        """One second of the sealer's: records come, are sealed and put under a checkpoint."""
        note(records)
        with self.ledger.as_sealer():
            work.seal()
            turner.before_checkpoint()
            work.publish()
            turner.after_checkpoint()
        return Checkpoint.objects.order_by("-pk").first().note

    def signers(self, text: str) -> list[checkpoint.PublicKey]:
        return checkpoint.signers(checkpoint.parse_note(text), self.listed())

    def listed(self) -> list[checkpoint.PublicKey]:
        return keys.public_keys(self.place.public)

    def verify(self) -> verification.Verification:
        return verification.verify(keys=self.listed(), outside=self.ledger.outside.all())


def note(count: int = 1) -> None:
    with transaction.atomic():
        for _ in range(count):
            api.append(stream="test", kind="test.fact.noted")


@pytest.fixture
def site(ledger, tmp_path) -> Site:
    folder = tmp_path / "keys"
    folder.mkdir()
    return Site(ledger, folder)


@pytest.mark.requirement("URS-AUD-036")
@pytest.mark.parametrize("old_key", ["destroyed", "archived"])
def test_the_key_turns_at_a_checkpoint_that_both_keys_sign(site, monkeypatch, old_key):
    former = site.listed()[0]
    former_pem = site.place.private.read_bytes()
    with site.ledger.as_sealer():
        work, turner = site.sealer()
    assert site.signers(site.second(work, turner)) == [former]
    following = site.rotate(monkeypatch, old_key=old_key)
    turning_note = site.second(work, turner)
    assert set(site.signers(turning_note)) == {former, following}
    assert site.signers(site.second(work, turner)) == [following]
    assert site.listed() == [former, following]
    assert site.place.in_force() == following
    assert not site.place.next.exists()
    kept = site.place.private.with_name(f"ledger-{former.key_id.hex()}.key")
    assert kept.exists() == (old_key == "archived")
    assert not kept.exists() or kept.read_bytes() == former_pem
    result = site.verify()
    assert (result.finding, result.records) == (None, Record.objects.count())
    (told,) = (api.content(record) for record in Record.objects.filter(kind=turning.ROTATED))
    assert (told["data"]["former"], told["data"]["next"]) == (str(former), str(following))


@pytest.mark.requirement("URS-AUD-036")
def test_a_sealer_that_was_killed_at_the_turn_completes_it(site, monkeypatch):
    with site.ledger.as_sealer():
        work, turner = site.sealer()
    site.second(work, turner)
    following = site.rotate(monkeypatch)
    note()
    with site.ledger.as_sealer():
        work.seal()
        turner.before_checkpoint()
        work.publish()  # and killed here, with both keys' files in place
        assert site.place.next.exists()
        work, turner = site.sealer()
    assert site.place.in_force() == following
    assert site.signers(site.second(work, turner)) == [following]
    assert site.verify().ok


@pytest.mark.requirement("URS-AUD-036")
def test_a_lost_key_is_replaced_by_two_persons_alone(site, monkeypatch):
    with site.ledger.as_sealer():
        work, turner = site.sealer()
    site.second(work, turner)
    site.place.private.unlink()
    following = site.rotate(monkeypatch, is_lost=True)
    with site.ledger.as_sealer():
        work, turner = site.sealer()
    assert site.signers(site.second(work, turner)) == [following]
    assert site.verify().ok


@pytest.mark.requirement("URS-AUD-036")
def test_a_key_without_the_record_of_two_persons_is_not_put_in_force(site):
    with site.ledger.as_sealer():
        work, turner = site.sealer()
    site.second(work, turner)
    site.place.make_next()  # an intruder's, who reached the folder
    assert len(site.signers(site.second(work, turner))) == 1
    with site.ledger.as_sealer():
        settle_key(site.place)
    assert site.place.in_force() == site.listed()[0]
    site.place.next.replace(site.place.private)  # and now by force
    with site.ledger.as_sealer():
        work, turner = site.sealer()
    site.place.list_public(site.place.in_force())
    site.second(work, turner)
    finding = site.verify().finding
    assert "did not turn" in finding.what


@pytest.mark.requirement("URS-AUD-036")
def test_one_person_twice_or_two_of_one_role_do_not_turn_the_key(site, monkeypatch):
    ada = site.administrator
    other = enter("otto", Role.SYSTEM_ADMINISTRATOR)
    for people, refusal in (((ada, ada), turning.TurnRefused), ((ada, other), NotEntitled)):
        signers = [site.proofs(one)[0] for one in people]
        moment = NOON + site.codes * STEP + timedelta(seconds=1)
        monkeypatch.setattr("audit.signatures.timezone.now", lambda moment=moment: moment)
        with pytest.raises(refusal):
            turning.rotate(site.place, signers=signers, reason="its time was over")
        assert not site.place.next.exists()
    assert Record.objects.filter(kind=turning.ROTATED).count() == 0


@pytest.mark.requirement("URS-AUD-036")
def test_a_turn_is_refused_where_the_files_say_otherwise(site, monkeypatch):
    with pytest.raises(turning.TurnRefused, match="is there"):
        site.rotate(monkeypatch, is_lost=True)
    site.rotate(monkeypatch)
    with pytest.raises(turning.TurnRefused, match="waits for its turn"):
        site.rotate(monkeypatch)


FORMER, NEXT, THIRD = (
    checkpoint.public_key("ledger.example", key_of(name)) for name in ("a", "b", "c")
)


@pytest.mark.requirement("URS-AUD-036")
@pytest.mark.parametrize(
    ("signed", "said"),
    [
        ([[FORMER], [FORMER, NEXT], [FORMER]], "turned before"),
        ([[FORMER], [NEXT, FORMER], [NEXT], [FORMER]], "turned before"),
        ([[FORMER], [FORMER, NEXT], [NEXT, THIRD], [NEXT]], "turned before"),
        ([[FORMER], [NEXT]], "did not turn"),
        ([[FORMER], [NEXT, THIRD]], "did not turn"),
    ],
)
def test_a_former_key_alone_or_a_key_nobody_turned_to_is_found(monkeypatch, signed, said):
    monkeypatch.setattr("audit.outside.signed.authorised", lambda key: None)
    turns = KeyTurns([FORMER, NEXT, THIRD])
    flaws = [turns.flaw(keys) for keys in signed]
    assert flaws[:-1] == [None] * (len(signed) - 1)
    assert said in flaws[-1]


def test_two_keys_may_go_on_signing_together_after_the_turn(monkeypatch):
    turns = KeyTurns([FORMER, NEXT])
    for signed in ([FORMER], [FORMER, NEXT], [FORMER, NEXT], [NEXT]):
        assert turns.flaw(signed) is None


@pytest.mark.requirement("URS-AUD-036")
def test_a_second_signature_of_another_kind_stands_beside_the_first(site, monkeypatch):
    pem = MLDSA44PrivateKey.generate().private_bytes(*turning._PEM)
    path = site.place.private.with_name("ledger-mldsa.key")
    turning.replace_file(path, pem)
    with site.ledger.as_sealer():
        work, turner = site.sealer()
    work.second_key = keys.second_signing_key(path)
    text = site.second(work, turner)
    public = checkpoint.cosigning_key(ORIGIN, work.second_key)
    assert public.algorithm == checkpoint.ML_DSA_44
    with site.place.public.open("a") as file:
        file.write(f"{public}\n")
    assert site.signers(text) == [site.listed()[0], public]
    assert site.verify().ok
    head = checkpoint.parse(text)
    other = replace(head, tree_size=head.tree_size + 1)
    line = checkpoint.cosign(other.body, name=ORIGIN, key=work.second_key, at=5)
    with pytest.raises(checkpoint.BadCheckpoint, match="does not fit"):
        site.signers(checkpoint.add_line(text, line))


@pytest.mark.requirement("URS-AUD-036")
def test_the_command_asks_both_persons_and_says_whom_to_tell(site, monkeypatch, settings):
    settings.LEDGER_KEY_FILE, settings.LEDGER_PUBLIC_KEY_FILE = (
        site.place.private,
        site.place.public,
    )
    settings.LEDGER_ORIGIN = ORIGIN
    now = timezone.now()
    typed = iter(
        [one.password if what else one.code(now) for one in site.people() for what in (1, 0)]
    )
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    said = StringIO()
    names = ("--administrator", "ada", "--approver", "quentin")
    call_command("rotate_ledger_key", *names, "--reason", "its time was over", stdout=said)
    assert f"accept-log {ORIGIN} {site.place.waiting()}" in said.getvalue()
    with pytest.raises(CommandError, match="nobody has the user name"):
        call_command("rotate_ledger_key", *names[:3], "nobody", "--reason", "because")


@pytest.mark.requirement("URS-AUD-036")
def test_a_wrong_password_turns_nothing_and_is_recorded(site, monkeypatch, settings):
    settings.LEDGER_KEY_FILE, settings.LEDGER_PUBLIC_KEY_FILE = (
        site.place.private,
        site.place.public,
    )
    monkeypatch.setattr("getpass.getpass", lambda _: "not the password")
    names = ("--administrator", "ada", "--approver", "quentin")
    with pytest.raises(CommandError, match="not accepted"):
        call_command("rotate_ledger_key", *names, "--reason", "because", stdout=StringIO())
    assert not site.place.next.exists()
    assert Record.objects.filter(kind="audit.proof.refused").count() == 1

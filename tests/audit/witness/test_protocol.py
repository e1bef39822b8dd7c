"""Each answer of the protocol, and that nothing can make a witness contradict itself."""

import hashlib
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from audit import checkpoint, merkle
from audit.witness.folder import Folder, FolderRefused
from audit.witness.protocol import compose
from audit.witness.service import Witness
from audit.witness.state import State, StateMissing
from tests.audit.made_ledger import key_of
from tests.audit.witness import logs
from tests.audit.witness.logs import leaves_of, note_of, request

ELEVEN = leaves_of("a", 11)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(logs.made(tmp_path / "witness"))


def size_held(witness: Witness, origin: str = logs.ORIGIN) -> int:
    return witness.state.held(origin).size


@pytest.mark.requirement("URS-AUD-030")
def test_a_checkpoint_that_goes_on_from_the_last_is_cosigned(witness):
    for old, size in ((0, 3), (3, 3), (3, 11)):
        answer = witness.add_checkpoint(request(old, ELEVEN[:size]))
        assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
        note = note_of(ELEVEN[:size]) + answer.body
        [(key, at)] = checkpoint.signed_at(checkpoint.parse_note(note), [witness.public])
        assert (key, size_held(witness)) == (witness.public, size)
        assert at > 1_700_000_000


@pytest.mark.requirement("URS-AUD-030")
@pytest.mark.parametrize(("old", "size"), [(0, 3), (3, 3), (4, 11), (11, 11)])
def test_an_old_size_that_is_not_what_the_witness_holds_is_answered_409_with_its_size(
    witness, old, size
):
    witness.add_checkpoint(request(0, ELEVEN[:7]))
    answer = witness.add_checkpoint(request(old, ELEVEN[:size]))
    assert (answer.status, answer.body, answer.content_type) == (409, "7\n", "text/x.tlog.size")
    assert size_held(witness) == 7


@pytest.mark.requirement("URS-AUD-030")
def test_a_smaller_tree_is_never_cosigned_after_a_larger_one(witness):
    witness.add_checkpoint(request(0, ELEVEN))
    assert witness.add_checkpoint(request(5, ELEVEN[:5])).status == 409
    assert witness.add_checkpoint(compose(11, [], note_of(ELEVEN[:5])).encode()).status == 400
    assert size_held(witness) == 11


@pytest.mark.requirement("URS-AUD-030")
def test_another_history_is_refused_and_kept_as_evidence(witness):
    witness.add_checkpoint(request(0, ELEVEN[:5]))
    other = [*leaves_of("b", 5), *ELEVEN[5:]]
    assert witness.add_checkpoint(request(5, other)).status == 422
    assert witness.add_checkpoint(request(5, other[:5])).status == 409  # same size, other root
    assert witness.add_checkpoint(compose(5, [], note_of(ELEVEN)).encode()).status == 422
    assert [status for _, _, status in witness.state.evidence()] == [422, 409, 422]
    assert "CONTRADICTION" in witness.status().body
    assert size_held(witness) == 5


@pytest.mark.requirement("URS-AUD-030")
@pytest.mark.parametrize(("old", "size"), [(0, 3), (7, 7)])
def test_a_proof_where_none_belongs_is_answered_422(witness, old, size):
    witness.add_checkpoint(request(0, ELEVEN[:7])) if old else None
    sent = compose(old, [bytes(32)], note_of(ELEVEN[:size])).encode()
    assert witness.add_checkpoint(sent).status == 422


def test_an_empty_tree_must_have_the_empty_root(witness):
    stated = checkpoint.Checkpoint(logs.ORIGIN, 0, bytes(32), 0, "ab" * 32)
    false = checkpoint.sign(stated, name=logs.ORIGIN, key=logs.KEY)
    assert witness.add_checkpoint(compose(0, [], false).encode()).status == 409
    assert witness.add_checkpoint(request(0, [])).status == 200


@pytest.mark.requirement("URS-AUD-030")
def test_an_unknown_key_or_a_wrong_signature_is_answered_403(witness):
    stranger = request(0, ELEVEN, key=key_of("a stranger"))
    forged = request(0, ELEVEN).replace(b"\n11\n", b"\n12\n")
    assert witness.add_checkpoint(stranger).status == 403
    assert witness.add_checkpoint(forged).status == 403
    assert size_held(witness) == 0


@pytest.mark.requirement("URS-AUD-030")
def test_an_unknown_origin_is_answered_404_so_each_epoch_is_accepted_by_a_person(witness):
    epoch = request(0, ELEVEN, origin=f"{logs.ORIGIN}/epoch/1")
    assert witness.add_checkpoint(epoch).status == 404
    witness.folder.accept(f"{logs.ORIGIN}/epoch/1", str(logs.PUBLIC))
    assert witness.add_checkpoint(epoch).status == 200


GOOD = request(0, ELEVEN[:3]).decode()
LONG = "old 1\n" + "A" * 43 + "=\n"


@pytest.mark.requirement("URS-AUD-030")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"old 0\n\n",
        GOOD.replace("old 0", "old 00").encode(),
        GOOD.replace("old 0", "old -1").encode(),
        GOOD.replace("old 0", "old 1\u0661").encode(),
        GOOD.replace("old 0", "size 0").encode(),
        GOOD.replace("old 0", "old").encode(),
        GOOD.replace("old 0\n", "old 0\nnot base64\n").encode(),
        GOOD.replace("old 0\n", "old 0\nAAAA\n").encode(),
        GOOD.replace("old 0\n", "old 0\n" + f"{'A' * 43}=\n" * 64).encode(),
        GOOD.replace("old 0\n\n", "old 0\n").encode(),
        GOOD.replace("\n3\n", "\n03\n").encode(),
        GOOD[:-1].encode(),
        GOOD.encode() + b"x" * 70_000,
    ],
)
def test_a_malformed_request_is_answered_400(witness, body):
    assert witness.add_checkpoint(body).status == 400


@pytest.mark.requirement("URS-AUD-030")
def test_of_requests_at_once_only_one_goes_on_from_a_size(tmp_path):
    folder = logs.made(tmp_path / "witness")
    workers = [Witness(folder) for _ in range(6)]  # as many processes would: a connection each
    histories = [[*ELEVEN[:4], *leaves_of(f"branch {n}", 5)] for n in range(6)]
    workers[0].add_checkpoint(request(0, ELEVEN[:4]))
    answers: list[int] = []

    def send(worker: Witness, leaves: list[bytes]) -> None:
        answers.append(worker.add_checkpoint(request(4, leaves)).status)

    threads = [
        threading.Thread(target=send, args=pair) for pair in zip(workers, histories, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 409, 409, 409, 409, 409]


@pytest.mark.requirement("URS-AUD-030")
def test_what_was_cosigned_is_known_after_a_new_start(witness):
    witness.add_checkpoint(request(0, ELEVEN[:7]))
    again = Witness(witness.folder)
    assert again.add_checkpoint(request(0, ELEVEN[:3])).body == "7\n"
    newest = again.newest(hashlib.sha256(logs.ORIGIN.encode()).hexdigest())
    assert checkpoint.parse(newest.body).tree_size == 7
    assert again.newest("0" * 64).status == 404


@pytest.mark.requirement("URS-AUD-030")
def test_a_witness_without_its_memory_or_with_an_open_key_does_not_start(witness):
    key = witness.folder.key_file
    key.chmod(0o640)
    with pytest.raises(FolderRefused, match="chmod 600"):
        Witness(witness.folder)
    key.chmod(0o600)
    witness.folder.state_file.unlink()
    with pytest.raises(StateMissing, match="retire this witness"):
        Witness(witness.folder)
    with pytest.raises(FolderRefused, match="has a witness already"):
        Folder.make(witness.folder.path, "another")


def test_the_state_is_never_made_anew_while_it_runs(witness):
    witness.folder.state_file.unlink()
    with pytest.raises(Exception, match="unable to open"):
        witness.add_checkpoint(request(0, ELEVEN))


def test_a_state_is_not_made_over_another(tmp_path):
    State.make(tmp_path / "state.sqlite3")
    with pytest.raises(FileExistsError):
        State.make(tmp_path / "state.sqlite3")


@pytest.mark.parametrize("origin", ["", " x", "a\nb"])
def test_what_is_no_origin_is_not_accepted(witness, origin):
    with pytest.raises(FolderRefused, match="no origin"):
        witness.folder.accept(origin, str(logs.PUBLIC))


class Forks(RuleBasedStateMachine):
    """A log's owner who branches at will, lies about sizes and proofs, and sends what he likes."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.witness = Witness(logs.made(Path(self.place.name) / "witness"))
        self.branches = [leaves_of("trunk", 1)]
        self.cosigned: list[tuple[bytes, ...]] = []

    @rule(branch=st.integers(0, 9), more=st.integers(1, 9))
    def grow(self, branch, more):
        leaves = self.branches[branch % len(self.branches)]
        leaves += leaves_of(f"branch {branch % len(self.branches)} {len(leaves)}", more)

    @rule(branch=st.integers(0, 9), keep=st.integers(0, 20))
    def fork(self, branch, keep):
        self.branches.append(list(self.branches[branch % len(self.branches)][:keep]))

    @rule(branch=st.integers(0, 9), cut=st.integers(0, 3), old=st.integers(0, 30))
    def send(self, branch, cut, old):
        leaves = self.branches[branch % len(self.branches)]
        self.submit(old, leaves[: len(leaves) - cut])

    @rule(branch=st.integers(0, 9))
    def send_with_the_size_held(self, branch):
        self.submit(size_held(self.witness), self.branches[branch % len(self.branches)])

    @rule(branch=st.integers(0, 9), other=st.integers(0, 9))
    def send_another_branchs_proof(self, branch, other):
        held = size_held(self.witness)
        mine, theirs = (self.branches[n % len(self.branches)] for n in (branch, other))
        if 0 < held < len(theirs):
            proof = merkle.consistency_proof(held, len(theirs), merkle.fetch_from_leaves(theirs))
            self.note(
                mine, self.witness.add_checkpoint(compose(held, proof, note_of(mine)).encode())
            )

    @rule()
    def start_again(self):
        self.witness = Witness(self.witness.folder)

    def submit(self, old, leaves):
        self.note(leaves, self.witness.add_checkpoint(request(old, leaves)))

    def note(self, leaves, answer):
        if answer.status == 200:
            self.cosigned.append(tuple(leaves))

    @invariant()
    def all_that_was_cosigned_is_one_history(self):
        for earlier, later in zip(self.cosigned, self.cosigned[1:], strict=False):
            assert later[: len(earlier)] == earlier

    def teardown(self):
        self.place.cleanup()


TestForks = pytest.mark.requirement("URS-AUD-030")(Forks.TestCase)
TestForks.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)

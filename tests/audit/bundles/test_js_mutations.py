"""Damaged bundles in the verifier page, in one call; other engines and the other verifier agree."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.bundles import js_ledger as made
from tests.audit.bundles import js_verifier, rivals
from tests.audit.bundles.js_ledger import FIRST, SECOND, WITNESSES, payload
from tests.audit.bundles.js_verifier import VECTORS, WITHOUT_CRYPTO

pytestmark = [pytest.mark.browser, pytest.mark.requirement("URS-AUD-085")]
COUNTING = """window.calls = 0;
const digest = SubtleCrypto.prototype.digest;
SubtleCrypto.prototype.digest = function (...given) {
  calls += 1;
  return digest.apply(this, given);
};
"""
LYING = """window.calls = 0;
SubtleCrypto.prototype.digest = async () => { calls += 1; return new ArrayBuffer(32); };
"""
EACH = 10  # damaged bundles of each sound one; EXP-01 is the campaign over thousands
NO_EVIDENCE = {"README.txt", "fields.md"}  # by digest alone: a new manifest covers a change
Files = dict[str, bytes]


def read(folder: Path) -> Files:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def rich(selected: list[int] | None) -> Files:
    """Our own bundle with all there is: a turned key, witnesses, a token, a large blob."""
    plan = made.plan()
    plan.selected = selected
    plan.checkpoints = {0: [FIRST], 1: [FIRST, SECOND], 3: [SECOND, *WITNESSES]}
    plan.keys = [FIRST, SECOND]
    plan.blobs = [bytes(300_000)]
    plan.tokens = [1]
    cited = payload(5, blobs=[made.sha256(plan.blobs[0]).hex()], reason="größer: μ 🧪")
    plan.blocks[2].entries[1].payload = cited
    return made.Maker(plan).files()


TRUST = "".join(f"{key.text}\n" for key in [FIRST, *WITNESSES]) + "quorum 3\n"


def flip(source: random.Random, data: bytes) -> bytes:
    raw = bytearray(data)
    raw[source.randrange(len(raw))] ^= 1 << source.randrange(8)
    return bytes(raw)


def replace(source: random.Random, data: bytes) -> bytes:
    raw = bytearray(data)
    at = source.randrange(len(raw))
    raw[at] = source.choice([byte for byte in b'09af"{}[],:\n =A' if byte != raw[at]])
    return bytes(raw)


def cut(source: random.Random, data: bytes) -> bytes:
    return data[: source.randrange(len(data))]


def leave_out(source: random.Random, data: bytes) -> bytes:
    at = source.randrange(len(data))
    return data[:at] + data[at + 1 :]


def put_in(source: random.Random, data: bytes) -> bytes:
    at = source.randrange(len(data) + 1)
    return data[:at] + bytes([source.choice(b'0a"{ \n')]) + data[at:]


def double_line(source: random.Random, data: bytes) -> bytes:
    rows = data.splitlines(keepends=True)
    at = source.randrange(len(rows))
    return b"".join([*rows[: at + 1], *rows[at:]])


def swap_lines(source: random.Random, data: bytes) -> bytes:
    rows = data.splitlines(keepends=True)
    at = source.randrange(len(rows) - 1)
    rows[at], rows[at + 1] = rows[at + 1], rows[at]
    return b"".join(rows)


BYTES = [flip, flip, replace, cut, leave_out, put_in]
LINES: list[Callable[[random.Random, bytes], bytes]] = [*BYTES, double_line, swap_lines]


def is_evidence(path: str) -> bool:
    return path not in NO_EVIDENCE and not path.endswith(".tsr") and path != "keys.txt"


def damaged(files: Files, source: random.Random, count: int) -> Iterator[tuple[str, Files]]:
    """Give (changed path, files): one file changed, everything else as it was."""
    for _ in range(count):
        path = source.choice(sorted(files))
        yield path, {**files, path: source.choice(BYTES)(source, files[path])}


def forged(files: Files, source: random.Random, count: int) -> Iterator[tuple[str, Files]]:
    """Give (changed path, files): one file of evidence changed, and the manifest made anew."""
    content = sorted(
        path for path in files if not path.startswith("manifest") and is_evidence(path)
    )
    for _ in range(count):
        path = source.choice(content)
        change = source.choice(LINES if path.endswith(".jsonl") else BYTES)
        if files[path].count(b"\n") < 2:
            change = flip
        changed = {**files, path: change(source, files[path])}
        if changed != files:
            yield path, made.relisted(changed)


SOUND = {
    "vector complete": (read(VECTORS / "complete"), None),
    "vector selection": (read(VECTORS / "selection"), None),
    "rich complete": (rich(None), TRUST),
    "rich selection": (rich([1, 5, 6, 10]), TRUST),
}


class Batch:
    """Bundles on disk, with what was changed in them; checked once by each engine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.trust = root / "trust.txt"
        self.trust.write_text(TRUST)
        self.sound: list[Path] = []
        self.flawed: dict[Path, tuple[str, bool]] = {}  # folder -> (changed path, listed anew)
        self.given: dict[Path, Path] = {}
        for n, (files, trust) in enumerate(SOUND.values()):
            self.sound.append(self.write(files, trust))
            source = random.Random(n)
            for path, changed in damaged(files, source, EACH):
                self.flawed[self.write(changed, trust)] = (path, False)
            for path, changed in forged(files, source, 2 * EACH):
                self.flawed[self.write(changed, trust)] = (path, True)

    def write(self, files: Files, trust: str | None) -> Path:
        folder = made.write(files, self.root / f"bundle {len(self.sound) + len(self.flawed)}")
        if trust is not None:
            self.given[folder] = self.trust
        return folder

    @property
    def all(self) -> list[Path]:
        return [*self.sound, *self.flawed]


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return Batch(tmp_path_factory.mktemp("mutations"))


@pytest.fixture(scope="module")
def open_page() -> Iterator[Callable[..., Any]]:
    with js_verifier.opened_browser() as opener:
        yield opener


@pytest.fixture(scope="module")
def page(open_page: Callable[..., Any]) -> Any:
    return open_page()


@pytest.fixture(scope="module")
def answers(batch: Batch, page: Any) -> js_verifier.Answers:
    return js_verifier.check_in(page, batch.all, batch.given)


def test_every_vector_and_every_honest_bundle_is_sound(batch, answers):
    firsts = [answers[folder][1].splitlines()[0] for folder in batch.sound]
    assert firsts == ["CONSISTENT, ORIGIN NOT PROVED"] * 2 + ["SOUND, ORIGIN PROVED"] * 2


def test_the_report_shows_keys_turns_witnesses_and_counts(batch, answers):
    text = answers[batch.sound[2]][1]
    assert f"{FIRST.name}+{FIRST.id.hex()} (trusted)" in text
    assert made.sha256(SECOND.public).hex() in text
    assert "checkpoints cosigned: 1, last at 2026-02-02T02:40:00Z" in text
    assert "Key turned at block 1" in text
    assert "Quorum asked: 3; witnesses on the last checkpoint: 3" in text
    assert "  Records: canonical, leaf as indexed: 11 (all)" in text
    assert "Remark: The time-stamp tokens were checked by digest alone" in text


def test_no_damage_goes_unseen(batch, answers):
    unseen = [batch.flawed[folder] for folder in batch.flawed if answers[folder][0]]
    assert unseen == []
    assert len(batch.flawed) > 11 * EACH


def test_the_other_verifier_says_the_same(batch, answers):
    ours = rivals.python(batch.all, batch.given)
    found = [rivals.apart([ours, answers], each, batch.given.get(each)) for each in batch.all]
    assert [difference for difference in found if difference] == []


def test_damage_is_placed_in_the_file_that_was_changed(batch, answers):
    """A changed file is named; manifest and its digest are one pair."""
    for folder, (path, listed_anew) in batch.flawed.items():
        found = [row for row in answers[folder][1].splitlines() if row.startswith("FLAW at ")]
        named = "manifest." if path.startswith("manifest.") else path
        assert listed_anew or any(row.startswith(f"FLAW at {named}") for row in found), (
            path,
            found,
        )


def test_a_flipped_bit_of_a_record_is_placed_at_its_line(page, tmp_path):
    files, _ = SOUND["vector complete"]
    rows = files["records.jsonl"].split(b"\n")
    folders = []
    for at in range(len(rows) - 1):
        changed = [*rows[:at], rows[at].replace(b"connector", b"connectos", 1), *rows[at + 1 :]]
        bundle = {**files, "records.jsonl": b"\n".join(changed)}
        folders.append(made.write(bundle, tmp_path / str(at)))
    found = js_verifier.check_in(page, folders)
    for at, folder in enumerate(folders):
        assert f"FLAW at records.jsonl line {at + 1} (sequence {at}, block " in found[folder][1]
        assert "FLAW at records.jsonl: was changed" in found[folder][1]


def test_files_missing_or_added_are_named(page, tmp_path):
    files, _ = SOUND["vector selection"]
    folders = {}
    for path in files:
        kept = {name: data for name, data in files.items() if name != path}
        folders[path] = made.write(kept, tmp_path / f"without {path.replace('/', ' ')}")
    folders["copies/more.csv"] = made.write({**files, "copies/more.csv": b"x"}, tmp_path / "more")
    found = js_verifier.check_in(page, list(folders.values()))
    for path, folder in folders.items():
        assert f"FLAW at {path}: " in found[folder][1]


@pytest.mark.requirement("URS-AUD-086")
def test_without_the_browsers_cryptography_the_answers_are_the_same(batch, answers, open_page):
    some = [*batch.sound, *list(batch.flawed)[::5]]
    bare = open_page(WITHOUT_CRYPTO)
    assert bare.evaluate("[typeof crypto.subtle, typeof DecompressionStream]") == ["undefined"] * 2
    found = js_verifier.check_in(bare, some, batch.given)
    assert found == {folder: answers[folder] for folder in some}


@pytest.mark.requirement("URS-AUD-086")
@pytest.mark.parametrize(("script", "calls"), [(COUNTING, 2), (LYING, 1)], ids=["good", "lying"])
def test_the_browsers_digest_serves_large_files_if_it_agrees(
    batch, answers, open_page, script, calls
):
    """One call compares it with the page's own; one more digests the large blob."""
    folder = batch.sound[2]
    opened = open_page(script)
    found = js_verifier.check_in(opened, [folder], batch.given)
    assert opened.evaluate("window.calls") == calls
    assert found == {folder: answers[folder]}


@pytest.mark.skipif(js_verifier.node() is None, reason="there is no Node here")
def test_node_gives_the_same_answers_from_the_modules(batch, answers):
    some = [*batch.sound, *list(batch.flawed)[::5]]
    assert js_verifier.run_in_node(some, batch.given) == {
        folder: answers[folder] for folder in some
    }


def test_leaves_roots_and_inclusion_proofs_are_those_of_the_vectors(page):
    hashes = json.loads((VECTORS / "hashes.json").read_text())
    work = """({ leaves, inclusion }) => {
      const v = bundleVerifier, tree = new v.GrowingTree(), bytes = leaves.map(v.fromHex);
      const roots = bytes.map((leaf) => { tree.push(leaf); return v.hex(tree.root()); });
      const proved = Object.entries(inclusion).map(([at, proof]) =>
        v.hex(v.rootOfProof(bytes[at], Number(at), leaves.length, proof.map(v.fromHex))));
      return { roots, proved: [...new Set(proved)] };
    }"""
    found = page.evaluate(work, hashes)
    assert found["roots"] == hashes["roots"][1:]
    assert found["proved"] == [hashes["roots"][-1]]

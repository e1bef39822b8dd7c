"""Faults of exports: formulas, edited reports, torn cuts, broken downloads, scopes, readings."""

import csv
import io
import random
import struct
import subprocess
import threading
import time
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.test import RequestFactory, override_settings
from pyhanko.pdf_utils.generic import ArrayObject, NameObject, StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from audit import api, canonical, exports, refusals, verifier
from audit.exports import jobs, views
from audit.exports.copies import checking, lines, parquet, readable, report, spreadsheet
from audit.exports.copies.document_seal import DocumentSeal
from audit.models import Checkpoint, Record
from audit.session_store import SessionStore
from tests.audit.conftest import ledger  # noqa: F401
from tests.audit.exports.conftest import AWKWARD, filled, installed  # noqa: F401
from tests.audit.people import enter
from tests.audit.sealing import sealing_process

SEED = 20_261_125
SIGNS = "=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}\N{FULLWIDTH HYPHEN-MINUS}" + (
    "\N{FULLWIDTH COMMERCIAL AT}\N{SMALL EQUALS SIGN}"
)
BEFORE = ("", " ", "\t", "\r", "\n", "\N{ZERO WIDTH SPACE}", "\N{NO-BREAK SPACE}", "\ufeff", "\x00")
TAILS = ("1+1", "HYPERLINK(A1)", "cmd|' /C calc'!A0", "5 mM", "", "SUM(1)*2", "a\r\n=1")


# ------------------------------------------------------------------------------ EXP-03
def runs_as_formula(cell: str) -> bool:
    """Whether a spreadsheet would execute what a cell holds; a plain number it would not."""
    try:
        float(cell)
    except ValueError:
        kept = cell.lstrip("\ufeff")
        return unicodedata.normalize("NFKC", kept[:1]) in {"=", "+", "-", "@", "\t", "\r"}
    return False


@pytest.mark.requirement("URS-AUD-073")
@pytest.mark.fault("EXP-03")
def test_no_cell_of_a_table_is_executed_and_numbers_stay_numbers(campaign):
    chance, executable, altered = random.Random(SEED), 0, 0
    for _ in range(campaign.runs):
        text = chance.choice(BEFORE) + chance.choice(SIGNS) + chance.choice(TAILS)
        number = canonical.number(-chance.expovariate(1) * 10 ** chance.randint(-9, 9), "mM")
        out = io.StringIO()
        csv.writer(out).writerow(map(spreadsheet.cell, [text, number["value"], "plain"]))
        [[shown, digits, plain]] = csv.reader(io.StringIO(out.getvalue(), newline=""))
        executable += runs_as_formula(shown)
        altered += digits != number["value"] or plain != "plain"
    campaign.saw(executable_cells=executable, numbers_altered=altered)


# ------------------------------------------------------------------------------ EXP-10
def made_up(chance: random.Random) -> object:
    text = "".join(
        chance.choice(["é", "Ω", " ", "x", "\t", "\n", "=", "“", "\u202e", "0"]) for _ in range(5)
    )
    return chance.choice(
        [
            None,
            True,
            False,
            "",
            text,
            chance.choice(AWKWARD),
            chance.choice([readable.NONE, readable.EMPTY, "yes", "no", "[]"]),
            chance.randint(-(2**53) + 1, 2**53 - 1),
            canonical.number(
                struct.unpack("<d", struct.pack("<Q", chance.getrandbits(62)))[0], "g/L"
            ),
            canonical.number(chance.uniform(-1, 1) * 10 ** chance.randint(-12, 12), "degC"),
        ]
    )


def read_back(text: str) -> object:
    """Return what a shown text means, by the rules alone that the copies state."""
    known = {readable.NONE: None, "yes": True, "no": False, readable.EMPTY: ""}
    if text in known:
        return known[text]
    return text[1:-1] if text[:1] == "\N{LEFT DOUBLE QUOTATION MARK}" else text


def unescaped(text: str) -> str:
    """Return the text in which code points between angle brackets are characters again."""
    head, *rest = text.split(readable.OPEN)
    parts = [each.partition(readable.CLOSE) for each in rest]
    return head + "".join(chr(int(code[2:], 16)) + after for code, _, after in parts)


def differs(value: object) -> bool:
    shown = readable.text_of(value)
    if isinstance(value, dict):
        digits, _, unit = shown.partition(" ")
        return {"value": digits, "unit": unit} != value or canonical.quantity(value) != float(
            digits
        )
    expected = str(value) if type(value) is int else value
    return any(
        read_back(unescaped(form)) != expected
        for form in (readable.visible(shown), report.shown(shown))
    )


def columns_differ(value: object, moment: str) -> bool:
    """Whether a typed table or a spreadsheet's row says another value or time."""
    change = {"subject": {"type": "t", "id": "1"}, "old": None, "new": {"m": value}}
    payload = {
        "stream": "s", "kind": "k", "occurred_at": moment, "reason": None, "changes": [change],
        "actor": {"id": "a", "kind": "process", "name": "n"}, "data": {"m": value},
        "source": {"address": None, "process": "p", "session": None, "software": "s"},
    }  # fmt: skip
    line = lines.Line(7, "i", "l", moment, orjson.dumps(payload), b"")
    row = parquet.table_of([line]).to_pylist()[0]
    [told] = spreadsheet.change_rows([line])
    cell, unit = told[8], told[9]
    expected = value["value"] if isinstance(value, dict) else readable.text_of(value)
    return (
        orjson.loads(row["data"])["m"] != value
        or orjson.loads(row["changes"]) != [change]
        or canonical.timestamp(row["recorded_at"]) != moment
        or canonical.timestamp(row["occurred_at"]) != moment
        or (cell, unit) != (expected, value["unit"] if isinstance(value, dict) else None)
    )


@pytest.mark.requirement("URS-AUD-071")
@pytest.mark.fault("EXP-10")
def test_every_shown_value_leads_back_to_the_recorded_one(campaign):
    chance, different = random.Random(SEED), 0
    for _ in range(campaign.runs):
        value = made_up(chance)
        day, micro = chance.randint(1, 28), chance.randrange(10**6)
        moment = f"{chance.randint(1000, 9999)}-02-{day:02}T23:59:59.{micro:06}Z"
        different += differs(value) or columns_differ(value, moment)
    campaign.saw(unexplained_differences=different)


# ------------------------------------------------------------------------------ EXP-04
def flip(document: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(document))
    changed = document[place] ^ (1 << chance.randrange(8))
    return document[:place] + bytes([changed]) + document[place + 1 :]


def revised(document: bytes, change: object) -> bytes:
    """Return the document with one more revision, in which ``change`` has been done."""
    writer, out = IncrementalPdfFileWriter(io.BytesIO(document)), io.BytesIO()
    change(writer)
    writer.write(out)
    return out.getvalue()


def drop_page(writer: IncrementalPdfFileWriter) -> None:
    pages = writer.root["/Pages"]
    pages["/Kids"] = ArrayObject(list(pages["/Kids"])[:-1])
    writer.update_container(pages)


def overlay(writer: IncrementalPdfFileWriter) -> None:
    cover = writer.add_object(StreamObject(stream_data=b"1 1 1 rg 0 0 600 900 re f"))
    writer.add_stream_to_page(0, cover)


def replace_attachment(writer: IncrementalPdfFileWriter) -> None:
    names = writer.root["/Names"]["/EmbeddedFiles"]
    while "/Names" not in names:
        names = names["/Kids"][0]
    spec = names["/Names"][1]
    spec["/EF"]["/F"] = writer.add_object(StreamObject(stream_data=b"{}"))
    writer.update_container(spec["/EF"])


def retitle(writer: IncrementalPdfFileWriter) -> None:
    writer.root["/Lang"] = NameObject("/xx")
    writer.update_root()


def edits(document: bytes, chance: random.Random, another: DocumentSeal) -> list[bytes]:
    """Return the document after each kind of edit."""
    unsigned = document[: document.index(b"%%EOF") + 6]
    return [
        flip(document, chance),
        document.replace(b"/Lang", b"/Lanh", 1),
        document[: chance.randrange(len(document))],
        document + b"\n% more\n",
        revised(document, drop_page),
        revised(document, overlay),
        revised(document, replace_attachment),
        revised(document, retitle),
        unsigned,
        another.sign(unsigned, reason="by another key"),
    ]


@pytest.mark.requirement("URS-AUD-072")
@pytest.mark.fault("EXP-04")
def test_an_edited_report_is_refused(campaign, filled, installed, tmp_path):  # noqa: F811
    from tests.audit.exports.keys import another_seal

    chance, detected, tried = random.Random(SEED), 0, 0
    exports.export(
        tmp_path / "b", formats=("pdf",), filters=exports.Filters(stream="batch/B-1"), reason="x"
    )
    document = (tmp_path / "b" / "copies" / "report-0001.pdf").read_bytes()
    trust, another = installed.DOCUMENT_CERTIFICATE_FILE.read_bytes(), another_seal()
    doctored = DocumentSeal.of_installation().sign(
        document[: document.index(b"%%EOF") + 6].replace(b"/Lang", b"/Lanh"), reason="x"
    )
    while tried < campaign.runs:
        for edited in [*edits(document, chance, another), doctored]:
            tried += 1
            assert edited != document
            try:
                checking.check(edited, trust=trust, bundle=tmp_path / "b")
            except checking.ReportRefused:
                detected += 1
    assert checking.check(document, trust=trust, bundle=tmp_path / "b")
    campaign.saw(runs=tried, detected_share=detected / tried)


# ------------------------------------------------------------------------------ EXP-05
@pytest.mark.requirement("URS-AUD-070")
@pytest.mark.fault("EXP-05")
def test_an_export_under_load_is_one_cut(campaign, filled, installed, tmp_path):  # noqa: F811
    installed.CHECKPOINT_DIR = filled.outside.folder
    stop, failed, written = threading.Event(), [], [0, 0, 0]
    torn, failures, cuts = 0, 0, [Checkpoint.objects.latest("tree_size").tree_size]

    def load(place: int) -> None:
        try:
            while not stop.is_set():
                with transaction.atomic():
                    api.append(stream="batch/B-1", kind="test.fact.noted", data={"by": place})
                written[place] += 1
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=load, args=[place]) for place in range(3)]
    with sealing_process(filled, tmp_path) as sealer:
        for writer in writers:
            writer.start()
        try:
            for number in range(campaign.runs):
                wait_for_checkpoint(beyond=cuts[-1], sealer=sealer)
                folder = tmp_path / f"bundle-{number}"
                chosen = exports.Filters(stream="batch/B-1") if number % 2 else exports.Filters()
                exports.export(folder, filters=chosen, formats=("csv",))
                failures += not verifier.verify(folder, trust=installed.LEDGER_PUBLIC_KEY_FILE).ok
                torn += is_torn(folder)
                cuts.append(told_of_export()["tree_size"])
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        assert sealer.poll() is None, "the sealer ended"
    assert failed == [] and all(written)
    assert sorted(set(cuts)) == cuts, "an export was not of a later cut than the one before"
    campaign.saw(torn=torn, verify_failures=failures)


def wait_for_checkpoint(*, beyond: int, sealer: subprocess.Popen[str]) -> None:
    """Return once the sealer process has signed a tree larger than ``beyond``."""
    deadline = time.monotonic() + 60
    while Checkpoint.objects.latest("tree_size").tree_size <= beyond:
        assert sealer.poll() is None, "the sealer ended"
        assert time.monotonic() < deadline, "the sealer signs nothing"
        time.sleep(0.02)


def told_of_export() -> dict[str, Any]:
    return api.content(Record.objects.filter(kind="audit.export.made").latest("id"))["data"]


def is_torn(folder: Path) -> bool:
    """Whether a bundle is not of the one cut that its record names, or its copies are not."""
    told = told_of_export()
    kept = list(lines.read(folder))
    rows = (folder / "copies" / "records-0001.csv").read_text("utf-8-sig").splitlines()
    ends = (kept[0].sequence, kept[-1].sequence, len(kept), len(rows) - 1)
    named = (told["first_sequence"], told["last_sequence"], told["count"], told["count"])
    return ends != named or kept[-1].sequence >= told["tree_size"]


# ------------------------------------------------------------------------------ EXP-06
def borders(content: bytes) -> list[int]:
    """Return where the parts of an archive begin, and its end is cut at."""
    found, place = [], 0
    for mark in (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"):
        place = content.find(mark)
        while place >= 0:
            found.append(place)
            place = content.find(mark, place + 1)
    return [cut for place in found for cut in (place, place + 4, place + 30) if cut < len(content)]


def repaired(content: bytes, folder: Path) -> Path:
    """Take every part out whose local header stands there, as what repairs archives does."""
    place = 0
    while content[place : place + 4] == b"PK\x03\x04" and place + 30 <= len(content):
        header = struct.unpack("<4s5H3L2H", content[place : place + 30])
        packed, name_size, extra = header[7], header[9], header[10]
        start = place + 30 + name_size + extra
        name = content[place + 30 : place + 30 + name_size].decode()
        if len(name) < name_size:
            break
        raw = content[start : start + packed]
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(zlib.decompressobj(-15).decompress(raw) if header[3] else raw)
        place = start + packed
    tops = [path for path in folder.iterdir() if path.is_dir()]
    return tops[0] if tops else folder


def is_accepted(content: bytes, folder: Path, names: set[str]) -> bool:
    """Whether a cut archive opens, or what can be taken out of it passes with parts missing."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.testzip() is None
    except zipfile.BadZipFile:
        bundle = repaired(content, folder)
    present = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
    return verifier.verify(bundle).ok and present != names


@pytest.mark.requirement("URS-AUD-075")
@pytest.mark.fault("EXP-06")
def test_a_download_that_broke_off_never_looks_complete(campaign, filled, tmp_path):  # noqa: F811
    person = enter("anna", "auditor").user
    job = jobs.ask(filters=exports.Filters(), formats=("csv",), actor=person, reason="inspection")
    assert not jobs.work_on(job.pk)
    content = (jobs.folder_of(job) / jobs.FILE).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
    shares = [len(content) * share // 100 for share in range(100)]
    cuts = (borders(content) + shares)[:: max(1, (100 + len(borders(content))) // campaign.runs)]
    accepted = sum(
        is_accepted(content[:cut], tmp_path / f"cut-{number}", names)
        for number, cut in enumerate(cuts)
        if (tmp_path / f"cut-{number}").mkdir() is None
    )
    campaign.saw(runs=len(cuts), truncated_accepted=accepted)


# ------------------------------------------------------------------------------ EXP-09
def limited(chance: random.Random) -> exports.Filters:
    """Return filters that reach for foreign records, within the scope of one family."""
    reach = {
        "stream": ["", "other", "people", "batch/B-1"],
        "kind": ["", "audit.", "test.fact"],
        "text": ["", "T-7", "größer", '"stream":"other"'],
        "subject": ["", "T-7"],
        "subject_type": ["", "test.thing"],
        "reason": ["", "255/"],
    }
    given = {name: chance.choice(values) for name, values in reach.items()}
    return exports.Filters(**given, within=chance.choice([("batch/*",), ("batch/B-1",), ()]))


@pytest.mark.requirement("URS-AUD-076")
@pytest.mark.fault("EXP-09")
def test_no_export_leaves_its_scope_or_no_record(campaign, filled, tmp_path):  # noqa: F811
    chance, outside, made = random.Random(SEED), 0, 0
    for number in range(campaign.runs):
        folder = tmp_path / f"b{number}"
        exports.export(folder, filters=limited(chance), reason="inspection")
        made += 1
        outside += sum(
            not line.told()["stream"].startswith("batch/") for line in lines.read(folder)
        )
    recorded = Record.objects.filter(kind="audit.export.made").count()
    campaign.saw(out_of_scope_records=outside, unaudited_exports=made - recorded)
    with override_settings(ROOT_URLCONF="tests.audit.desk_urls"):
        job = jobs.ask(filters=exports.Filters(), formats=(), actor=None, reason="x")
        request = RequestFactory().get("/exports/")
        request.user, request.session = enter("anna", "auditor").user, SessionStore()
        with pytest.raises(refusals.NotEntitled):
            views.download(request, pk=job.pk)

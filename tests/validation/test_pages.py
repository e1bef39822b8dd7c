"""The pages of evidence show runs as the record store tells them, to people signed in."""

import csv
import io

import pytest
from django.http import Http404
from django.urls import reverse

from audit import api as audit
from audit.guards.contents import DAMAGED
from twin_core.config import errors
from validation import runner, views
from validation.protocols import Protocol


@pytest.fixture
def told(ledger_db, tmp_path):
    protocol = Protocol("OQ-TST", title="A probe")

    @protocol.step("OQ-TST-010", verifies=["URS-VAL-003"])
    def first(run):
        """Two is one, says <i>somebody</i>."""
        run.instruct("Count.")
        run.expect("one", 2, equals=1)
        run.attach("note.txt", "counted")

    return runner.execute(protocol, executor=audit.os_user_actor(), out=tmp_path / "out")


@pytest.fixture
def reader(rf):
    """Ask a view as the middleware lets a person through who is signed in."""

    def ask(view, *arguments):
        request = rf.get("/")
        request.user = audit.User(username="reader", printed_name="A. Reader")
        request.session = {}
        return view(request, *arguments)

    return ask


def addresses(run):
    return [
        reverse("validation:evidence"),
        reverse("validation:matrix"),
        reverse("validation:run", args=[run]),
        reverse("validation:file", args=[run, "report.html"]),
        reverse("validation:attachment", args=[run, "0" * 64]),
    ]


@pytest.mark.requirement("URS-VAL-009")
def test_nobody_reads_evidence_without_signing_in(client, told):
    for address in addresses(told["run"]):
        answer = client.get(address)
        assert (answer.status_code, answer.url.split("?")[0]) == (302, "/sign-in/")


@pytest.mark.requirement("URS-VAL-009")
def test_the_list_names_each_protocol_and_each_run(reader, told):
    page = reader(views.evidence).content.decode()
    assert "IQ-PLATFORM" in page
    assert reverse("validation:run", args=[told["run"]]) in page


@pytest.mark.requirement("URS-VAL-009")
@pytest.mark.requirement("URS-WEB-001")
def test_a_run_shows_expected_actual_and_executor_as_text(reader, told):
    page = reader(views.run, told["run"]).content.decode()
    assert told["executor"]["name"] in page
    assert "says &lt;i&gt;somebody&lt;/i&gt;" in page
    assert "<code>1</code>" in page and "<code>2</code>" in page


@pytest.mark.requirement("URS-VAL-009")
def test_the_hand_over_file_is_the_one_the_record_cites(reader, told):
    answer = reader(views.handover_file, told["run"], "report.json")
    assert audit.put_blob(answer.content, "application/json") in {
        *audit.content(audit.Record.objects.get(pk=told["record"]))["blobs"]
    }
    assert answer["Content-Disposition"].startswith("attachment")


@pytest.mark.requirement("URS-VAL-009")
def test_only_what_a_run_cites_is_served(reader, told):
    digest = told["steps"][0]["attachments"][0]["digest"]
    assert reader(views.attachment, told["run"], digest).content == b"counted"
    elsewhere = audit.put_blob(b"not of this run", "text/plain")
    with pytest.raises(Http404, match="no step of this run cites"):
        reader(views.attachment, told["run"], elsewhere)
    with pytest.raises(Http404, match="has no file"):
        reader(views.handover_file, told["run"], "../report.json")
    with pytest.raises(Http404, match="there is no run"):
        reader(views.run, audit.uuid7())


@pytest.fixture
def replaced(told, as_role):
    """Replace the content of the run's attachment by SQL, as only a superuser can."""
    digest = told["steps"][0]["attachments"][0]["digest"]
    mighty = as_role("superuser")
    mighty.execute("ALTER TABLE audit_blob DISABLE TRIGGER ALL")
    mighty.execute("ALTER TABLE audit_blob DROP CONSTRAINT blob_is_its_digest")
    mighty.execute("UPDATE audit_blob SET content = 'other' WHERE digest = %s", [digest])
    mighty.commit()
    return digest


@pytest.mark.requirement("URS-AUD-057")
def test_a_replaced_attachment_is_refused_in_words_and_on_record(reader, told, replaced, rf):
    with pytest.raises(audit.ContentMismatch) as met:
        reader(views.attachment, told["run"], replaced)
    page = errors.RefusalPages(None).process_exception(rf.get("/evidence/"), met.value)
    assert page.status_code == 409
    assert "is damaged: it has another SHA-256" in page.content.decode()
    assert b"Restore the content from a copy" in page.content
    kinds = [DAMAGED, "audit.content.refused"]
    found = audit.Record.objects.filter(kind__in=kinds).order_by("id")
    assert [(one.kind, audit.content(one)["data"]["digest"]) for one in found] == [
        (kind, replaced) for kind in kinds
    ]


@pytest.mark.requirement("URS-AUD-057")
def test_the_interface_answers_a_replaced_content_with_its_code(told, replaced, rf):
    try:
        audit.get_blob(replaced)
    except audit.ContentMismatch as error:
        met = RuntimeError("could not be read")
        met.__cause__ = error
    answer = errors.problem(met, {"request": rf.get("/api/estimates/")})
    assert (answer.status_code, answer.data["code"]) == (409, "content_mismatch")
    assert "another SHA-256" in answer.data["detail"]
    assert audit.Record.objects.filter(kind=DAMAGED).count() == 1
    assert errors.as_refusal(ValueError("another fault")) is None


@pytest.mark.requirement("URS-VAL-006")
def test_the_matrix_is_served_as_csv(reader, ledger_db):
    lines = list(csv.reader(io.StringIO(reader(views.matrix).content.decode())))
    assert lines[0][0] == "requirement"
    assert "URS-VAL-006" in {line[0] for line in lines}

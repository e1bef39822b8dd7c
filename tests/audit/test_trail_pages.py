"""The trail and a record as pages, against a real ledger."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import Http404, HttpResponse
from django.test import RequestFactory, override_settings

from audit import api as audit
from audit import checkpoint, refusals, trail_pages, verifier, views
from audit.exports import jobs
from audit.guards import trust
from audit.models import ExportJob, Record
from audit.session_store import SessionStore
from tests.audit.people import Person, enter
from tests.audit.sealing import Ledger


@pytest.fixture
def desk(ledger: Ledger, tmp_path: Path) -> Iterator[Ledger]:
    """This test's ledger with its pages and the public key that its checkpoints are made with."""
    public = tmp_path / "ledger.pub"
    public.write_text("".join(f"{key}\n" for key in ledger.keys))
    with override_settings(ROOT_URLCONF="tests.audit.desk_urls", LEDGER_PUBLIC_KEY_FILE=public):
        yield ledger


@pytest.fixture
def anna(desk: Ledger) -> Person:
    return enter("anna", "auditor", printed_name="Anna Meier")


def get(view: Any, user: Any, **given: Any) -> HttpResponse:
    arguments = given.pop("arguments", {})
    request = RequestFactory().get("/trail/", given)
    request.user, request.session = user, SessionStore()
    return view(request, **arguments)


def act(number: int, **more: Any) -> Record:
    with transaction.atomic():
        facts = {"stream": f"probe/{number % 2}", "kind": "tests.probe.taken", **more}
        return audit.append(data={"title": f"Probe {number}"}, **facts)


def shown(response: HttpResponse) -> str:
    return response.content.decode()


@pytest.mark.requirement("URS-WEB-020")
def test_the_newest_record_stands_first_and_says_what_happened(desk, anna):
    act(1)
    act(2)
    page = shown(get(views.trail, anna.user))
    assert page.index("Probe taken: Probe 2") < page.index("Probe taken: Probe 1")
    assert "tests.probe.taken" in page


@pytest.mark.requirement("URS-WEB-020")
def test_each_label_of_the_page_belongs_to_one_field(desk, anna):
    keys = re.findall(r' id="([^"]+)"', shown(get(views.trail, anna.user)))
    assert len(keys) == len(set(keys))
    assert {"id_reason", "export_reason"} <= set(keys)


@pytest.mark.requirement("URS-AUD-009")
@pytest.mark.requirement("URS-WEB-020")
def test_a_person_without_a_role_reads_nothing(desk, anna):
    nobody = enter("nils")
    for user in (nobody.user, AnonymousUser()):
        with pytest.raises(refusals.NotEntitled, match="may not read the trail"):
            get(views.trail, user)
    with pytest.raises(refusals.NotEntitled, match="may not read records"):
        get(views.record, nobody.user, arguments={"pk": act(1).pk})


@pytest.mark.requirement("URS-AUD-009")
@pytest.mark.requirement("URS-WEB-020")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stream", "probe/1"),
        ("text", "Probe 1"),
        ("kind", "tests.probe.ta"),
        ("until", "2000-01-01T00:00:00"),
    ],
)
def test_a_filter_leaves_out_what_does_not_fit(desk, anna, name, value):
    act(1)
    act(2, kind="tests.other.made")
    page = shown(get(views.trail, anna.user, **{name: value}))
    page = page.replace("<mark>", "").replace("</mark>", "")  # of the words searched for
    assert ("Probe taken: Probe 1" in page) is (name != "until")
    assert "Other made: Probe 2" not in page


@pytest.mark.requirement("URS-WEB-020")
def test_the_filter_by_person_knows_who_acted(desk, anna):
    act(1, actor=anna.user)
    act(2)
    page = shown(get(views.trail, anna.user, person=str(anna.user.pk), kind="tests."))
    assert "Probe 1" in page
    assert "Probe taken: Probe 2" not in page


@pytest.mark.requirement("URS-WEB-020")
def test_a_filter_that_cannot_be_read_is_refused_in_words(desk, anna):
    wrong_time = get(views.trail, anna.user, since="yesterday")
    assert wrong_time.status_code == 400
    assert "Write it as 2026-01-31 09:15:00, in UTC." in shown(wrong_time)
    wrong_key = get(views.trail, anna.user, before="17")
    assert wrong_key.status_code == 400
    assert "Enter a valid UUID" in shown(wrong_key)


@pytest.mark.requirement("URS-WEB-020")
def test_pages_follow_each_other_without_gap_or_repeat(desk, anna, monkeypatch):
    monkeypatch.setattr(trail_pages, "SIZE", 3)
    made = [str(act(number).pk) for number in range(8)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        found, _, older = slice_of(cursor)
        seen += [str(record.pk) for record in found]
        act(99, kind="tests.late.made")  # arrives while one reads
        if not older:
            break
        cursor = {"before": seen[-1]}
    assert seen == made[::-1]
    back, newer, _ = slice_of({"after": seen[-1]})
    assert [str(record.pk) for record in back] == made[1:4][::-1]
    assert newer


def slice_of(cursor: dict[str, str]) -> tuple[list[Record], bool, bool]:
    query = RequestFactory().get("/trail/", cursor).GET
    return trail_pages._slice(trail_pages.Filters(kind="tests.probe"), query)


@pytest.mark.requirement("URS-AUD-009")
@pytest.mark.requirement("URS-WEB-021")
def test_a_look_at_the_trail_is_recorded_with_its_filters(desk, anna):
    get(views.trail, anna.user, stream="probe/1")
    looked = Record.objects.get(kind="audit.trail.viewed")
    told = audit.content(looked)
    assert told["actor"]["name"] == "Anna Meier"
    assert told["data"]["filters"] == {"stream": "probe/1"}


@pytest.mark.requirement("URS-WEB-021")
def test_the_same_look_within_a_minute_is_recorded_once(desk, anna):
    ben = enter("ben", "qa_reviewer")
    for user, filters in [
        (anna.user, {}),
        (anna.user, {}),
        (anna.user, {"text": "x", "since": "2026-01-01T00:00:00"}),
        (anna.user, {"text": "x", "since": "2026-01-01T00:00:00"}),
        (ben.user, {}),
    ]:
        get(views.trail, user, **filters)
    assert Record.objects.filter(kind="audit.trail.viewed").count() == 3


@pytest.mark.requirement("URS-WEB-021")
def test_a_look_that_cannot_be_recorded_shows_nothing(desk, anna, monkeypatch):
    def refuse(*_args: Any, **_facts: Any) -> None:
        raise RuntimeError("the record store takes no record")

    monkeypatch.setattr(trail_pages.trail, "note_view", refuse)
    with pytest.raises(RuntimeError):
        get(views.trail, anna.user)


@pytest.mark.requirement("URS-WEB-022")
def test_places_on_the_page_are_those_of_the_ledger(desk, anna):
    for number in range(5):
        act(number)
    desk.seal()
    records = list(Record.objects.order_by("-id"))
    places = trust.places_of(records)
    assert [places[record.pk].sequence for record in records] == [
        audit.sequence_of(r) for r in records
    ]
    assert act(9).pk not in trust.places_of([act(10)])


@pytest.mark.requirement("URS-WEB-022")
def test_a_sealed_record_shows_a_proof_that_was_checked(desk, anna):
    parent = act(1)
    child = act(2, parents=[parent.leaf])
    assert "waiting" in shown(get(views.record, anna.user, arguments={"pk": parent.pk}))
    desk.seal()
    page = shown(get(views.record, anna.user, arguments={"pk": parent.pk}))
    assert "tone-ok" in page
    assert "it was\nchecked" in page or "it was checked" in page
    assert str(child.pk) in page  # what rests on it
    assert str(parent.pk) in shown(get(views.record, anna.user, arguments={"pk": child.pk}))


@pytest.mark.requirement("URS-WEB-022")
def test_a_checkpoint_of_a_stranger_proves_nothing(desk, anna, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from audit.record_pages import proof_of

    probe = act(1)
    desk.seal()
    assert proof_of(probe).state == "proved"
    stranger = tmp_path / "stranger.pub"
    stranger.write_text(f"{checkpoint.public_key('stranger', Ed25519PrivateKey.generate())}\n")
    with override_settings(LEDGER_PUBLIC_KEY_FILE=stranger):
        found = proof_of(probe)
    assert found.state == "not_proved"
    assert "signature could not be confirmed" in found.words


@pytest.mark.requirement("URS-WEB-022")
def test_a_record_whose_text_was_altered_is_not_proved(desk, anna):
    from audit.record_pages import proof_of

    probe = act(1)
    desk.seal()
    probe.payload = probe.payload.replace("Probe 1", "Probe 7")
    assert proof_of(probe).state == "not_proved"


@pytest.mark.requirement("URS-WEB-022")
def test_the_payload_is_given_as_hashed(desk, anna):
    probe = act(1)
    response = get(views.payload, anna.user, arguments={"pk": probe.pk})
    assert response.content.decode() == probe.payload
    assert json.loads(response.content)["kind"] == "tests.probe.taken"
    assert "attachment" in response["Content-Disposition"]


@pytest.mark.requirement("URS-WEB-022")
def test_only_a_content_that_the_record_cites_is_given(desk, anna):
    with transaction.atomic():
        mine, other = audit.put_blob(b"mine", "text/plain"), audit.put_blob(b"o", "text/plain")
        probe = act(1, blobs=[mine])
    given = get(views.blob, anna.user, arguments={"pk": probe.pk, "digest": mine})
    assert given.content == b"mine"
    with pytest.raises(Http404):
        get(views.blob, anna.user, arguments={"pk": probe.pk, "digest": other})


def post(user: Any, reason: str = "inspection", **filters: str) -> Any:
    request = RequestFactory().post("/trail/export/?" + urlencode(filters), {"reason": reason})
    request.user, request.session = user, SessionStore()
    return views.export(request)


@pytest.mark.requirement("URS-WEB-020")
def test_what_is_filtered_is_exported_as_a_bundle_that_verifies(desk, anna, tmp_path, settings):
    settings.EXPORT_DIR = tmp_path / "exports"
    for number in range(4):
        act(number)
    desk.seal()
    assert post(anna.user, stream="probe/1", text="probe 3").status_code == 302
    [(export, _)] = jobs.due()
    assert not jobs.work_on(export)
    made = ExportJob.objects.get(pk=export)
    with zipfile.ZipFile(jobs.folder_of(made) / jobs.FILE) as archive:
        archive.extractall(tmp_path)
    bundle = tmp_path / jobs.name_of(made)
    lines = (bundle / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["data"]["title"] for line in lines] == ["Probe 3"]
    checked = subprocess.run([sys.executable, verifier.__file__, str(bundle)], capture_output=True)
    assert checked.returncode == 0, checked.stdout
    told = audit.content(Record.objects.get(kind="audit.export.made"))
    assert told["actor"]["name"] == "Anna Meier"
    assert told["reason"] == "inspection"


@pytest.mark.requirement("URS-WEB-020")
def test_an_export_without_role_reason_or_seal_gives_nothing(desk, anna):
    act(1)
    with pytest.raises(refusals.NotEntitled, match="may not export the trail"):
        post(enter("olga", "plant_operator").user)
    for answer, words in (
        (post(anna.user, reason=""), "This field is required"),
        (post(anna.user), "nothing is sealed yet"),
        (post(anna.user, since="yesterday"), "in UTC"),
    ):
        assert answer.status_code == 400
        assert words in shown(answer)
    assert not ExportJob.objects.exists()


@pytest.mark.requirement("URS-AUD-009")
@pytest.mark.requirement("URS-WEB-001")
def test_markup_in_a_record_is_shown_as_text(desk, anna):
    probe = act(1, reason="<script>alert(1)</script>")
    for response in (
        get(views.trail, anna.user),
        get(views.record, anna.user, arguments={"pk": probe.pk}),
    ):
        assert "<script>alert" not in shown(response)
        assert "&lt;script&gt;alert" in shown(response)

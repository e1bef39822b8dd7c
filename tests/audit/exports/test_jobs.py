"""Exports in the background: in slices, at one cut, over a kill, cancelled, fetched, deleted."""

import hashlib
import io
import zipfile
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import transaction
from django.http import Http404
from django.test import RequestFactory, override_settings
from django.utils import timezone

from audit import api, exports, refusals, verifier
from audit.exports import building, jobs, ranges, views
from audit.models import ExportJob, Record
from audit.session_store import SessionStore
from tests.audit.people import enter

ALL = exports.Filters()


@pytest.fixture
def anna(filled):
    return enter("anna", "auditor", printed_name="Anna Meier").user


@pytest.fixture(autouse=True)
def _addresses():
    with override_settings(ROOT_URLCONF="tests.audit.desk_urls"):
        yield


def ask(person, *, filters=ALL, formats=(), reason="inspection"):
    return jobs.ask(filters=filters, formats=formats, actor=person, reason=reason)


def made(job):
    while jobs.work_on(job.pk, seconds=0):
        pass
    job.refresh_from_db()
    return job


def told(kind):
    return [api.content(record) for record in Record.objects.filter(kind=kind).order_by("id")]


def unpacked(job, folder):
    with zipfile.ZipFile(jobs.folder_of(job) / jobs.FILE) as archive:
        archive.extractall(folder)
    return folder / jobs.name_of(job)


def request(person, method="get", **headers):
    given = getattr(RequestFactory(), method)("/exports/", headers=headers)
    given.user, given.session = person, SessionStore()
    return given


@pytest.mark.requirement("URS-AUD-074")
def test_an_export_is_made_in_slices_at_the_cut_of_its_request(
    anna, filled, tmp_path, settings, monkeypatch
):
    monkeypatch.setattr(building, "PART", 1)
    job = ask(anna, formats=("parquet", "csv", "html"))
    with transaction.atomic():
        api.append(stream="other", kind="test.fact.noted", reason="after the cut")
    filled.seal()
    assert jobs.work_on(job.pk, seconds=0)
    job.refresh_from_db()
    assert (job.state, job.slices) == ("running", 1)
    assert 0 < job.done < job.total
    job = made(job)
    assert (job.state, job.error) == ("done", "")
    assert job.slices > 3
    bundle = unpacked(job, tmp_path)
    assert verifier.verify(bundle, trust=settings.LEDGER_PUBLIC_KEY_FILE).ok
    assert len((bundle / "records.jsonl").read_bytes().splitlines()) == 300
    assert [path.name for path in jobs.folder_of(job).iterdir()] == [jobs.FILE]


@pytest.mark.requirement("URS-AUD-076")
def test_asking_making_and_fetching_are_recorded(anna):
    job = made(ask(anna, filters=exports.Filters(stream="batch/B-1")))
    [asked], [finished] = told("audit.export.requested"), told("audit.export.made")
    assert asked["actor"]["name"] == finished["actor"]["name"] == "Anna Meier"
    assert finished["data"]["manifest"] == job.manifest
    assert finished["data"]["export"] == str(job.pk)
    assert finished["data"]["count"] == finished["data"]["records"]
    assert 0 <= finished["data"]["first_sequence"] < finished["data"]["last_sequence"] < 300
    answer = views.download(request(anna), pk=job.pk)
    content = b"".join(answer.streaming_content)
    assert hashlib.sha256(content).hexdigest() == job.file_digest
    [fetched] = told("audit.export.downloaded")
    assert fetched["data"]["file"] == job.file_digest


@pytest.mark.requirement("URS-AUD-074")
def test_a_second_worker_leaves_an_export_to_the_first(anna):
    job = ask(anna)
    with jobs.alone(jobs.folder_of(job)):
        assert jobs.work_on(job.pk)
    job.refresh_from_db()
    assert job.state == "running"
    assert made(job).state == "done"


@pytest.mark.requirement("URS-AUD-074")
def test_a_cancelled_export_leaves_a_record_and_no_files(anna):
    job = ask(anna, formats=("html",))
    assert jobs.work_on(job.pk, seconds=0)
    with pytest.raises(exports.ExportRefused, match="reason"):
        jobs.cancel(job.pk, actor=anna, reason=" ")
    jobs.cancel(job.pk, actor=anna, reason="asked for too much")
    assert not jobs.work_on(job.pk)
    assert not jobs.folder_of(job).exists()
    [ended] = told("audit.export.cancelled")
    assert ended["reason"] == "asked for too much"
    with pytest.raises(exports.ExportRefused, match="nothing to cancel"):
        jobs.cancel(job.pk, actor=anna, reason="once more")
    assert told("audit.export.made") == []


@pytest.mark.requirement("URS-AUD-076")
def test_an_export_that_cannot_be_made_fails_on_the_record(anna, settings, monkeypatch):
    job = ask(anna, formats=("pdf",))
    settings.DOCUMENT_KEY_FILE.unlink()
    job = made(job)
    assert job.state == "failed"
    assert "document key cannot be used" in job.error
    [failed] = told("audit.export.failed")
    assert failed["reason"] == job.error
    assert not jobs.folder_of(job).exists()
    monkeypatch.setattr(jobs, "MOST_READABLE", 10)
    with pytest.raises(exports.ExportRefused, match="narrow the filters"):
        ask(anna, formats=("pdf",))


@pytest.mark.requirement("URS-AUD-076")
def test_another_persons_export_is_not_given_and_not_shown(anna):
    job = made(ask(anna))
    other = enter("otto", "auditor").user
    with pytest.raises(refusals.NotEntitled, match="another person"):
        views.download(request(other), pk=job.pk)
    with pytest.raises(refusals.NotEntitled, match="another person"):
        views.cancel(request(other, "post"), pk=job.pk)
    with pytest.raises(refusals.NotEntitled, match="may not export"):
        views.exports(request(enter("olga", "plant_operator").user))
    with pytest.raises(Http404):
        views.download(request(anna), pk=other.pk)
    assert str(job.pk).encode() not in views.exports(request(other)).content


@pytest.mark.requirement("URS-AUD-077")
def test_files_are_deleted_after_their_time_on_the_record(anna, settings):
    job, open_job = made(ask(anna)), ask(anna)
    settings.EXPORT_KEEP_DAYS = 30
    assert jobs.delete_old() == 0
    long_ago = timezone.now() - timedelta(days=31)
    ExportJob.objects.update(ended_at=long_ago)
    assert jobs.delete_old() == 1
    assert jobs.delete_old() == 0
    assert not jobs.folder_of(job).exists()
    open_job.refresh_from_db()
    assert open_job.state == "requested"
    [deleted] = told("audit.export.deleted")
    assert deleted["data"]["file"] == job.file_digest
    with pytest.raises(exports.ExportRefused, match="no file to fetch"):
        views.download(request(anna), pk=job.pk)


@pytest.mark.requirement("URS-AUD-075")
def test_a_broken_download_goes_on_by_ranges_of_the_same_file_alone(anna):
    job = made(ask(anna))
    whole = (jobs.folder_of(job) / jobs.FILE).read_bytes()
    tag = views.download(request(anna), pk=job.pk)["ETag"]

    def part(**headers):
        answer = views.download(request(anna, **headers), pk=job.pk)
        return answer.status_code, b"".join(answer.streaming_content)

    assert part(Range="bytes=100-") == (206, whole[100:])
    assert part(Range="bytes=100-199", **{"If-Range": tag}) == (206, whole[100:200])
    assert part(Range="bytes=-10") == (206, whole[-10:])
    assert part(Range="bytes=5-", **{"If-Range": '"another file"'}) == (200, whole)
    assert part(Range="bytes=0-1,4-5") == (200, whole)
    assert views.download(request(anna, Range=f"bytes={len(whole)}-"), pk=job.pk).status_code == 416
    assert ranges.asked_for(request(anna, Range="bytes=9-3"), size=20, tag=tag) is None
    assert len(told("audit.export.downloaded")) == 3  # those that began at the first byte


@pytest.mark.requirement("URS-AUD-075")
def test_the_one_file_is_the_same_each_time_and_ends_with_its_manifest(anna, tmp_path):
    job = made(ask(anna, formats=("csv",)))
    bundle = unpacked(job, tmp_path)
    again = jobs.packing.pack(bundle, tmp_path / "again.zip", top=jobs.name_of(job))
    assert again == job.file_digest
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        names = [name.partition("/")[2] for name in archive.namelist()]
    assert names[-2:] == ["manifest.json", "manifest.sha256"]


def test_the_page_shows_progress_and_the_command_works_without_the_queue(anna):
    job = ask(anna, filters=exports.Filters(stream="batch/B-1"), formats=("html",))
    jobs.work_on(job.pk, seconds=0)
    shown = views.exports(request(anna)).content.decode()
    assert "<progress" in shown
    assert "Batch or stream: batch/B-1" in shown
    out = io.StringIO()
    call_command("run_exports", stdout=out)
    assert "done" in out.getvalue()
    shown = views.exports_list(request(anna)).content.decode()
    assert "hx-get" not in shown
    assert f"/exports/{job.pk}/download/" in shown

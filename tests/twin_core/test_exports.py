"""Exports ride on the outbox: a slice is a piece of work, and what is left is asked for again."""

import pytest

from audit import api as audit
from tests.audit.conftest import ledger  # noqa: F401
from tests.audit.exports.conftest import filled, installed  # noqa: F401
from twin_core import outbox, tasks
from twin_core.models import OutboxTask


@pytest.mark.requirement("URS-AUD-074")
def test_an_export_is_asked_for_slice_by_slice_until_it_is_done(filled, monkeypatch):  # noqa: F811
    jobs = audit.exports.jobs
    monkeypatch.setattr(jobs, "SLICE", 0)
    monkeypatch.setattr(jobs.work_on, "__kwdefaults__", {"seconds": 0})
    job = jobs.ask(filters=audit.exports.Filters(), formats=("csv",), actor=None, reason="review")
    tasks.ask_for_exports()
    tasks.ask_for_exports()  # what is asked for already stays so
    rounds = 0
    while task := OutboxTask.objects.filter(state=OutboxTask.State.WAITING).first():
        tasks.work(task.pk)
        rounds += 1
    job.refresh_from_db()
    assert (job.state, job.slices) == ("done", rounds)
    assert rounds > 2
    assert set(OutboxTask.objects.values_list("state", flat=True)) == {OutboxTask.State.DONE}


@pytest.mark.requirement("URS-AUD-074")
def test_a_slice_whose_lease_has_gone_changes_nothing_in_the_outbox(filled):  # noqa: F811
    jobs = audit.exports.jobs
    job = jobs.ask(filters=audit.exports.Filters(), formats=(), actor=None, reason="review")
    tasks.ask_for_exports()
    task = outbox.lease(name="export")
    assert task is not None
    OutboxTask.objects.filter(pk=task.pk).update(token=task.token + 1)
    with pytest.raises(outbox.Overtaken):
        tasks.export_records(task, **task.content)
    job.refresh_from_db()
    assert job.state == "done"

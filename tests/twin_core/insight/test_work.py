"""Work delivered twice or cut off: each result once, nothing lost, nothing halved."""

import pytest

from audit import api as audit
from tests.twin_core.insight import played
from tests.twin_core.insight.played import asked, done, expire_lease, records
from twin_core import tasks
from twin_core.insight import advice, estimates, forecasts
from twin_core.models import Estimate, Forecast, OutboxTask, Recommendation

KINDS = {
    "estimate": "twin_core.estimate.made",
    "forecast": "twin_core.forecast.made",
    "recommend": "twin_core.recommendation.proposed",
}
ROWS = {"estimate": Estimate, "forecast": Forecast, "recommend": Recommendation}


class Killed(BaseException):
    """Ends a worker as kill -9 does: no handler of the worker's sees it."""


def content_of(name: str, batch) -> dict[str, str]:
    """Return what a piece of work is asked with; what it rests on is made first."""
    at_h = str(played.laboratory.hours(played.LAST_H))
    if name == "estimate":
        return {"batch": str(batch.pk), "at_h": at_h}
    done("estimate", batch=str(batch.pk), at_h=at_h)
    if name == "forecast":
        return {"estimate": str(Estimate.objects.get().pk)}
    done("forecast", estimate=str(Estimate.objects.get().pk))
    return {"forecast": str(Forecast.objects.get().pk)}


def made(name: str) -> tuple[int, int, list[str]]:
    """Return how many rows and records of a kind there are, and what was asked for next."""
    nexts = OutboxTask.objects.filter(name__in=["forecast", "recommend", "write"])
    keys = sorted(nexts.values_list("key", flat=True))
    return ROWS[name].objects.count(), records(KINDS[name]), keys


@pytest.mark.requirement("URS-REC-008")
@pytest.mark.parametrize("name", KINDS)
def test_work_delivered_twice_gives_one_result_and_one_record(batch, name):
    content = content_of(name, batch)
    identity = asked(name, **content)
    tasks.work(identity)
    once = made(name)
    assert once[:2] == (1, 1)
    before = audit.Record.objects.count()
    tasks.work(identity)  # the queue delivers it again
    assert audit.Record.objects.count() == before
    assert done(name, **content).state == OutboxTask.State.DONE  # asked for again afterwards
    assert made(name) == once
    answers = records("twin_core.advice.withheld")  # "one change at a time" is an answer too
    assert answers == audit.Record.objects.count() - before == (name == "recommend")


COMPUTED_BY = {
    "estimate": (estimates.estimation, "estimate"),
    "forecast": (forecasts, "compute"),
    "recommend": (advice, "compute"),
}


@pytest.mark.requirement("URS-REC-008")
@pytest.mark.parametrize("name", KINDS)
def test_a_worker_killed_before_its_effect_leaves_nothing_and_the_next_one_does_the_work(
    batch, name, monkeypatch
):
    identity = asked(name, **content_of(name, batch))
    before = audit.Record.objects.count()

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(audit, "append", killed)  # the result is there, its record not
        tasks.work(identity)
    assert made(name)[:2] == (0, 0)
    assert audit.Record.objects.count() == before
    tasks.work(identity)
    assert made(name)[0] == 0, "the lease of the killed worker still holds"
    expire_lease(identity)
    tasks.work(identity)
    assert made(name)[:2] == (1, 1)
    assert OutboxTask.objects.get(pk=identity).state == OutboxTask.State.DONE


@pytest.mark.requirement("URS-REC-008")
@pytest.mark.parametrize("name", KINDS)
def test_a_worker_that_was_overtaken_while_computing_changes_nothing(batch, name, monkeypatch):
    identity = asked(name, **content_of(name, batch))
    module, function = COMPUTED_BY[name]
    compute, seen = getattr(module, function), []

    def slow(*arguments, **options):
        result = compute(*arguments, **options)
        if not seen:  # this worker slept; another one came, did the work and ended it
            seen.append("overtaken")
            expire_lease(identity)
            tasks.work(identity)
            seen.append(made(name))
        return result

    monkeypatch.setattr(module, function, slow)
    tasks.work(identity)
    assert seen == ["overtaken", made(name)]
    assert made(name)[:2] == (1, 1)
    task = OutboxTask.objects.get(pk=identity)
    assert (task.state, task.token, task.error) == (OutboxTask.State.DONE, 2, "")

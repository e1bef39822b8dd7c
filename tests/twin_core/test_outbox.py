"""The outbox: work asked for once, leased to one, fenced off from others, parked in the end."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from twin_core import outbox
from twin_core.models import OutboxTask

State = OutboxTask.State


@pytest.fixture
def task(db):
    outbox.ask("estimate", "estimate:b:6", batch="b", at_h="6")
    return OutboxTask.objects.get()


def run_out(task):
    """Let the lease run out, as it does for a worker that was killed."""
    OutboxTask.objects.filter(pk=task.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.requirement("URS-REC-008")
def test_the_same_work_asked_for_twice_is_one_task(task):
    outbox.ask("estimate", task.key, batch="b", at_h="7")
    assert OutboxTask.objects.get().content == {"batch": "b", "at_h": "6"}


@pytest.mark.requirement("URS-REC-008")
def test_work_is_asked_for_with_its_act_or_not_at_all(ledger_db):
    with pytest.raises(RuntimeError), transaction.atomic():
        outbox.ask("estimate", "estimate:b:6")
        raise RuntimeError("the act fails")
    assert not OutboxTask.objects.exists()


@pytest.mark.requirement("URS-REC-008")
def test_a_leased_task_is_given_to_nobody_else(task):
    held = outbox.lease(identity=task.pk)
    assert held.token == 1
    assert outbox.lease(identity=task.pk) is None
    assert outbox.lease(name="estimate") is None
    assert outbox.due(leaving_out=()) == []


@pytest.mark.requirement("URS-REC-008")
def test_the_work_of_a_killed_worker_is_sent_and_taken_again_with_a_higher_token(task):
    dead = outbox.lease(identity=task.pk)
    run_out(task)
    assert outbox.due(leaving_out=()) == [task.pk]
    held = outbox.lease(identity=task.pk)
    assert (held.token, held.attempts) == (dead.token + 1, 2)


@pytest.mark.requirement("URS-REC-008")
def test_who_was_overtaken_changes_nothing(task):
    slow = outbox.lease(identity=task.pk)
    run_out(task)
    fast = outbox.lease(identity=task.pk)
    with pytest.raises(outbox.Overtaken), outbox.effect(slow):
        pytest.fail("its effect was let in")
    outbox.fail(slow, "late")
    outbox.give_back(slow)
    with outbox.effect(fast):
        outbox.ask("forecast", "forecast:1")
    assert OutboxTask.objects.get(pk=task.pk).state == State.DONE
    assert OutboxTask.objects.filter(name="forecast").count() == 1


@pytest.mark.requirement("URS-REC-008")
def test_an_effect_that_fails_leaves_the_task_to_be_taken_again(task):
    held = outbox.lease(identity=task.pk)
    with pytest.raises(ZeroDivisionError), outbox.effect(held):
        outbox.ask("forecast", "forecast:1")
        raise ZeroDivisionError
    assert OutboxTask.objects.get().state == State.LEASED  # the forecast was not asked for
    run_out(task)
    assert outbox.lease(identity=task.pk) is not None


@pytest.mark.requirement("URS-REC-008")
def test_a_finished_task_is_not_delivered_again(task):
    held = outbox.lease(identity=task.pk)
    with outbox.effect(held):
        pass
    assert outbox.lease(identity=task.pk) is None
    with pytest.raises(outbox.Overtaken), outbox.effect(held):
        pytest.fail("its effect was let in twice")


@pytest.mark.requirement("URS-REC-008")
def test_what_fails_too_often_is_parked_with_its_input_and_error(task):
    for attempt in range(1, outbox.MOST_ATTEMPTS + 1):
        held = outbox.lease(identity=task.pk)
        assert held.attempts == attempt
        outbox.fail(held, "ValueError: no such tag")
        run_out(task)
    parked = OutboxTask.objects.get()
    assert (parked.state, parked.error) == (State.PARKED, "ValueError: no such tag")
    assert parked.content == {"batch": "b", "at_h": "6"}
    assert outbox.lease(identity=task.pk) is None
    assert outbox.due(leaving_out=()) == []


@pytest.mark.requirement("URS-WBK-006")
def test_waiting_is_no_failed_attempt(task):
    for _ in range(3 * outbox.MOST_ATTEMPTS):
        held = outbox.lease(identity=task.pk)
        outbox.give_back(held, after=timedelta(0))
    assert OutboxTask.objects.get().attempts == 0
    assert outbox.lease(name="estimate") is not None


@pytest.mark.requirement("URS-WBK-007")
def test_the_relay_leaves_the_gates_orders_to_the_gate(task):
    outbox.ask("write", "write:1")
    assert outbox.due(leaving_out=("write",)) == [task.pk]


def test_what_was_just_sent_is_not_sent_again_at_once(task):
    assert outbox.due(leaving_out=()) == [task.pk]
    assert outbox.due(leaving_out=()) == []
    assert outbox.lease(identity=task.pk) is not None  # the worker it was sent to takes it


@pytest.mark.requirement("URS-REC-008")
def test_an_estimate_gives_way_to_a_later_one_of_its_batch_that_waits(task):
    def overdue():
        return outbox.is_overdue(task, prefix="estimate:b:", after=Decimal(6))

    assert not overdue()
    outbox.ask("estimate", "estimate:other:12")
    outbox.ask("estimate", "estimate:b:5.999999")
    assert not overdue()
    outbox.ask("estimate", "estimate:b:12.000000")
    assert overdue()
    later = OutboxTask.objects.get(key="estimate:b:12.000000")
    outbox.lease(identity=later.pk)
    assert not overdue()  # in hand elsewhere: it may fail, so this one is done

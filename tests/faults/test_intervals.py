"""The time of day is set while leases and waits run: they end when their seconds are over."""

import pytest

from tests.architecture.test_clocks import ALLOWED, found
from tests.faults import shifted

HOUR, YEAR = 3600.0, 365 * 86400.0
PROGRAM = """
import sys
import time
from datetime import timedelta

import django

django.setup()
from django.db import transaction

from audit import api
from twin_core import outbox

outbox.LEASE = timedelta(seconds=0.6)
for line in sys.stdin:
    word, _, key = line.strip().partition(" ")
    if word == "ask":
        with transaction.atomic():
            outbox.ask("test", key)
        print(outbox.lease(name="test") is not None, flush=True)
    elif word == "take":
        print(outbox.lease(name="test") is not None, flush=True)
    elif word == "end":
        task = outbox.OutboxTask.objects.get(name="test", key=key)
        with outbox.effect(task):
            pass
        print("ended", flush=True)
    elif word == "wait":
        record = api.append_alone(stream="test", kind="test.fact.noted")
        begin = time.monotonic()
        try:
            api.wait_for_seal(record, timeout=0.3)
        except TimeoutError:
            print(time.monotonic() - begin, flush=True)
"""


@pytest.mark.fault("TIM-06")
@pytest.mark.requirement("URS-AUD-044")
def test_leases_and_waits_keep_their_length_on_a_clock_that_is_set(
    campaign, services, ledger_db, tmp_path
):
    import time

    wrong = 0
    with shifted.running(PROGRAM, services.environment(ledger_db), tmp_path) as process:
        for run in range(campaign.runs):
            process.set_clock(0.0)
            assert process.ask(f"ask {run}") == "True"  # leased for 0.6 s
            process.set_clock((-HOUR, HOUR, YEAR, -YEAR)[run % 4])
            wrong += process.ask("take") == "True"  # early
            time.sleep(0.7)
            wrong += process.ask("take") == "False"  # late
            wrong += process.ask(f"end {run}") != "ended"
            waited = float(process.ask("wait"))
            wrong += not 0.29 <= waited < 30
    campaign.saw(early_or_late_expiry=wrong, static_rule_hits=len(found() - set(ALLOWED)))

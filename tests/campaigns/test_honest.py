"""The short form of the long honest run."""

import pytest

from tests.campaigns import honest
from tests.faults.conftest import golden, store  # noqa: F401  fixtures

pytestmark = [pytest.mark.timeout(600)]
RECORDS, WRITERS = 6_000, 16


@pytest.mark.requirement("URS-AUD-005")
@pytest.mark.requirement("URS-AUD-067")
def test_honest_records_of_many_writers_raise_no_alarm(store):  # noqa: F811
    store.server.settings.append("fsync=off")  # it is about order, not about crashes
    store.start()
    report = honest.run(store, records=RECORDS, writers=WRITERS)
    assert report.false_alarms == 0
    assert report.differing == 0
    assert report.committed == report.stored == RECORDS
    assert report.rollbacks > 30 and report.savepoints > 30

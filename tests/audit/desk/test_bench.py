"""The benchmark of the search runs, and its questions find what they name."""

import pytest

from tests.benchmarks import desk, desk_rows

RECORDS = 20_000


@pytest.mark.requirement("URS-WEB-030")
def test_every_question_of_the_benchmark_finds_what_was_put_there(ledger_db, as_role):
    with as_role("superuser") as owner:
        owner.autocommit = True
        desk_rows.fill(owner, RECORDS, said=lambda _: None)
    told = {line["name"].removeprefix("desk.search."): line for line in desk.measure(RECORDS, 1)}
    # and what notes that an index was made
    assert told["newest"]["count"] == "20\N{THIN SPACE}002"
    assert {name for name, line in told.items() if line["hits"] == 0} == {
        *("person.absent", "reason.absent", "text.absent", "combined.disjoint"),
    }
    assert told["text.rare"]["count"] == "20"
    assert told["text.common_only_in_old"]["count"] == "about 2\N{THIN SPACE}000"
    assert told["text.two_common_words"]["count"] == "about 670"
    assert len(list(desk.plans(RECORDS))) > len(told)

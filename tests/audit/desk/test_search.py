"""Searching the trail: complete whatever the indexer does, and the same before and after it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.utils import timezone

from audit.desk import comparison, indexing, search
from audit.desk.conditions import SearchRefused
from audit.desk.scope import Scope
from audit.models import Record
from audit.trail import Filters
from tests.audit.desk.acts import ANNA, BEN, PUMP, act, found

ASKED: list[dict[str, Any]] = [
    {},
    {"person": ANNA.id},
    {"person": BEN.id, "stream": "batch/B-1"},
    {"kind": "tests.feed.changed"},
    {"kind": "tests.pro"},
    {"stream": "batch/B-2"},
    {"subject_type": "tests.pump", "subject": PUMP},
    {"subject_type": "tests.pump"},
    {"subject": PUMP},
    {"reason": "glucose"},
    {"reason": "wenig glu", "person": BEN.id},
    {"text": '"probe 00"'},
    {"text": '"Probe 007"'},
    {"text": "müller"},
    {"text": "grösse"},
    {"text": "GRÖSSE voll"},
    {"text": "50%_voll"},
    {"text": PUMP},
    {"text": "probe absent"},
    {"text": "feed changed", "reason": "zu wenig", "stream": "batch/B-0"},
]


@pytest.fixture
def acts(desk: Any) -> list[Record]:
    """Twenty acts: some indexed, some sealed alone, some not sealed."""
    return [act(number) for number in range(20)]


def titles(numbers: Any) -> list[str]:
    return [f"Probe {number:03d}" for number in sorted(numbers, reverse=True)]


@pytest.mark.requirement("URS-WEB-030")
def test_a_search_finds_the_same_with_and_without_the_index(desk):
    for number in range(7):
        act(number)
    desk.seal()
    desk.index()
    for number in range(7, 14):
        act(number)
    desk.seal()
    for number in range(14, 20):
        act(number)
    partly = [found(**asked) for asked in ASKED]
    desk.index()
    mostly = [found(**asked) for asked in ASKED]
    with desk.as_indexer():
        indexing.empty()
    assert partly == mostly == [found(**asked) for asked in ASKED]


@pytest.mark.requirement("URS-WEB-030")
def test_each_filter_finds_what_it_names_and_nothing_else(desk, acts):
    desk.seal()
    desk.index()
    odd = range(1, 20, 2)
    assert found(person=ANNA.id) == titles(odd)
    assert found(person=BEN.id, stream="batch/B-1") == titles({4, 10, 16})
    assert found(kind="tests.pro") == titles(range(0, 20, 2))
    assert found(kind="tests.absent") == []
    assert found(subject_type="tests.pump", subject=PUMP) == titles(range(1, 20, 4))
    assert found(text=PUMP) == titles(range(1, 20, 4))
    assert found(reason="wenig") == titles(range(0, 20, 3))
    assert found(text="wenig größe") == titles({0, 15})
    assert found(text="50%_voll") == titles(range(0, 20, 5))
    assert found(text="50__voll") == []
    assert found(text=acts[4].leaf.hex()) == titles({4})
    assert found(text=str(acts[5].pk)) == titles({5})
    assert found(text="probe", person=ANNA.id, subject=PUMP, stream="batch/B-2") == titles({5, 17})


@pytest.mark.requirement("URS-WEB-030")
def test_a_record_is_found_while_the_indexer_stands_still(desk, acts):
    assert found(text='"Probe 019"') == titles({19})  # neither sealed nor indexed
    desk.seal()
    assert found(text='"Probe 019"') == titles({19})
    assert indexing.mark().sequence == -1


@pytest.mark.requirement("URS-WEB-030")
def test_an_open_transaction_of_others_hides_nothing_that_is_committed(desk, acts, as_role):
    held = as_role("application")
    held.execute(
        "INSERT INTO audit_record (stream, kind, payload) SELECT stream, kind, payload "
        "FROM audit_record ORDER BY id LIMIT 1"
    )
    act(50)
    desk.seal()
    desk.index()
    assert found(text='"Probe 050"') == ["Probe 050"]
    held.rollback()


@pytest.mark.requirement("URS-WEB-030")
@pytest.mark.parametrize("size", [1, 3, 7])
def test_pages_meet_without_gap_or_repeat_across_the_end_of_the_index(desk, size, monkeypatch):
    monkeypatch.setattr(search, "WALK", 2)
    for number in range(12):
        act(number)
    desk.seal()
    desk.index()
    for number in range(12, 18):
        act(number)
    asked = Filters(kind="tests.")
    seen: list[Any] = []
    page = search.Search(asked).page(size)
    while True:
        seen += [hit.record_id for hit in page.hits]
        if not page.has_more:
            break
        act(99, kind="other.late.made")  # arrives while one reads
        page = search.Search(asked).page(size, before=seen[-1])
    made = list(Record.objects.filter(kind__startswith="tests.").order_by("-id"))
    assert seen == [record.pk for record in made]
    back = search.Search(asked).page(size, after=seen[-1])
    assert [hit.record_id for hit in back.hits] == seen[-1 - size : -1]
    assert back.has_more
    assert not search.Search(asked).page(17, after=seen[-1]).has_more


@pytest.mark.requirement("URS-WEB-030")
def test_a_time_is_kept_to_on_both_sides_of_the_end_of_the_index(desk):
    act(0)
    desk.seal()
    desk.index()
    between = timezone.now()
    act(1)
    desk.seal()
    assert found(since=between) == titles({1})
    assert found(until=between) == titles({0})
    desk.index()
    assert found(since=between) == titles({1})
    assert found(until=between) == titles({0})
    assert found(until=datetime(2001, 1, 1, tzinfo=UTC)) == []
    assert found(since=timezone.now() + timedelta(days=1)) == []


@pytest.mark.requirement("URS-WEB-030")
@pytest.mark.parametrize(
    ("text", "words"),
    [("ab", "too short"), ('"open', "quotation mark"), ("a1 b2 " * 5, "more than 8 words")],
)
def test_a_search_that_cannot_be_answered_is_refused_in_words(desk, text, words):
    with pytest.raises(SearchRefused, match=words):
        found(text=text)


@pytest.mark.requirement("URS-WEB-030")
def test_a_page_after_a_record_that_does_not_exist_is_refused(desk, acts):
    with pytest.raises(SearchRefused, match="no record has the key"):
        search.Search(Filters()).page(5, before=ANNA.id)


@pytest.mark.requirement("URS-WEB-031")
def test_a_count_says_whether_it_is_exact(desk, acts, monkeypatch):
    desk.seal()
    desk.index()
    act(20)
    assert str(search.Search(Filters()).count()) == "21"
    assert str(search.Search(Filters(person=ANNA.id)).count()) == "10"
    monkeypatch.setattr(search, "COUNTED", 5)
    assert str(search.Search(Filters(person=ANNA.id)).count()) == "about 10"
    assert str(search.Search(Filters(reason="glucose")).count()) == "more than 5"


@pytest.mark.requirement("URS-WEB-030")
@pytest.mark.requirement("URS-WEB-038")
def test_a_scope_leaves_out_what_lies_outside_it_before_and_after_indexing(desk, acts):
    scope = Scope(True, ("batch/B-1",))
    family = Scope(True, (), ("batch",))
    act(30, stream="asset/A-1")
    for _ in range(2):
        assert found(scope) == titles(n for n in range(20) if n % 3 == 1)
        assert found(family) == titles(range(20))
        assert found(scope, stream="batch/B-2") == []
        assert found(scope, text=str(acts[5].pk)) == []
        desk.seal()
        desk.index()


@pytest.mark.requirement("URS-WEB-030")
def test_the_index_is_what_the_ledger_says_and_can_be_made_again(desk, acts):
    desk.seal()
    desk.index()
    first = comparison.compare()
    assert (first.flaw, first.rows, first.waiting) == (None, 20, 0)
    act(20)
    desk.seal()
    assert comparison.compare().waiting == 1
    with desk.as_indexer():
        assert indexing.rebuild() == 21
    again = comparison.compare()
    assert (again.flaw, again.rows, again.waiting) == (None, 21, 0)
    assert again.digest != first.digest


@pytest.mark.requirement("URS-WEB-030")
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit_searchrow SET words = 'nothing' WHERE sequence = 3", "record 3 is not"),
        ("UPDATE audit_searchrow SET about = '{}' WHERE sequence = 4", "record 4 is not"),
        ("DELETE FROM audit_searchrow WHERE sequence = 7", "record 7 is missing"),
        ("DELETE FROM audit_searchedge WHERE child = 19", "record 19 is not"),
        (
            "WITH moved AS (DELETE FROM audit_searchrow WHERE sequence = 5 RETURNING *) "
            "INSERT INTO audit_searchrow (sequence, record_id, recorded_at, kind, stream, actor_id,"
            " actor_kind, about, words) SELECT 5, uuidv7(), recorded_at, kind, stream, actor_id,"
            " actor_kind, about, words FROM moved",
            "record 5 is not",
        ),
        ("INSERT INTO audit_searchedge VALUES (77, '\\x00')", "descent of 77"),
        ("UPDATE audit_searchbucket SET count = 21", "bucket 0"),
        ("INSERT INTO audit_searchkind VALUES ('tests.other')", "kinds"),
        ("UPDATE audit_searchbucket SET recorded_to = recorded_from", "bucket 0"),
        (
            "INSERT INTO audit_searchrow (sequence, record_id, recorded_at, kind, stream, actor_id,"
            " actor_kind, about, words) SELECT 99, uuidv7(), now(), '', '', '', '', '{}', ''",
            "row 99 beyond its end",
        ),
    ],
)
def test_a_row_that_was_altered_removed_or_added_is_named(desk, as_role, statement, words):
    for number in range(19):
        parent = act(number)
    act(19, parents=[parent.leaf])
    desk.seal()
    desk.index()
    with as_role("superuser") as insider:
        insider.execute(statement)
    assert words in (comparison.compare().flaw or "")


@pytest.mark.requirement("URS-WEB-030")
def test_rows_of_a_dropped_month_stay_without_harm_until_the_index_is_made_again(desk, as_role):
    for block in range(3):
        for number in range(3):
            act(3 * block + number)
        desk.seal()
    desk.index()
    with as_role("superuser") as insider:
        insider.execute("ALTER TABLE audit_record DISABLE TRIGGER ALL")
        insider.execute(
            "DELETE FROM audit_record record USING audit_block block WHERE block.number = 1 AND "
            "record.transaction >= block.transaction_from AND "
            "record.transaction < block.transaction_below"
        )
    assert comparison.compare().flaw is None
    with desk.as_indexer():
        indexing.rebuild()
    assert found(kind="tests.") == titles([0, 1, 2, 6, 7, 8])
    again = comparison.compare()
    assert (again.flaw, again.rows) == (None, 6)


@pytest.mark.requirement("URS-WEB-030")
@pytest.mark.parametrize("role", ["application", "sealer", "gate", "auditor"])
def test_nobody_but_the_indexer_writes_the_index(desk, as_role, role):
    session = as_role(role)
    for statement in (
        "UPDATE audit_searchrow SET words = ''",
        "DELETE FROM audit_searchrow",
        "TRUNCATE audit_searchrow",
        "INSERT INTO audit_searchedge VALUES (1, '\\x00')",
        "UPDATE audit_searchbucket SET count = 0",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
        session.rollback()


@pytest.mark.requirement("URS-WEB-030")
def test_the_indexer_writes_nothing_but_the_index(desk, as_role):
    session = as_role("indexer")
    for statement in (
        "INSERT INTO audit_record (stream, kind, payload) VALUES ('a', 'b', '{}')",
        "UPDATE audit_record SET kind = ''",
        "INSERT INTO audit_block (number, header, leaves) VALUES (9, '{}', '')",
        "SELECT * FROM audit_credential",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
        session.rollback()


@pytest.mark.requirement("URS-WEB-030")
def test_a_second_indexer_is_refused(desk):
    from django.db import connection

    with desk.as_indexer(), connection.cursor() as cursor:
        indexing.acquire()
        cursor.execute("SELECT pg_backend_pid()")
        import threading

        seen: list[Any] = []

        def second() -> None:
            try:
                indexing.acquire()
            except indexing.IndexingRefused as error:
                seen.append(str(error))
            finally:
                connection.close()

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert seen and "another indexer" in seen[0]

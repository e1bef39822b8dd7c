"""An altered record is shown as untrusted, wherever it is shown; its neighbours are not."""

import json
from uuid import UUID

import pytest
from django.utils import timezone

from audit import record_pages, trail_pages, views
from audit.desk import lineage, past, reviews, subjects
from audit.desk import views as desk_views
from audit.desk.review_views import review as review_page
from audit.guards import trust
from audit.models import Record
from tests.audit.desk.conftest import desk  # noqa: F401
from tests.audit.people import enter
from tests.audit.test_trail_pages import act, anna, get, shown  # noqa: F401  fixtures

pytestmark = pytest.mark.requirement("URS-AUD-054")
ALTER = (
    "ALTER TABLE audit_record DISABLE TRIGGER ALL; "
    "UPDATE audit_record SET payload = replace(payload, 'Probe 2', 'Probe 7') WHERE id = '{0}'; "
    "ALTER TABLE audit_record ENABLE ALWAYS TRIGGER audit_record_keep"
)


@pytest.fixture
def altered(desk, as_role) -> list[Record]:  # noqa: F811
    """Three records, the second altered by SQL after it was sealed: its leaf fits its new text."""
    first = act(1)
    second = act(2, parents=[first.leaf])
    third = act(3, parents=[second.leaf])
    desk.seal()
    with as_role("superuser") as session:
        session.execute(ALTER.format(second.pk))
    return list(Record.objects.filter(pk__in=[first.pk, second.pk, third.pk]).order_by("id"))


def test_only_the_altered_record_is_untrusted(altered):
    assert trust.untrusted(altered) == {altered[1].pk}


def test_the_trail_marks_the_row_and_tells_nothing_of_it(altered, anna):  # noqa: F811
    page = shown(get(views.trail, anna.user))
    assert page.count(trust.ALTERED) == 1
    assert "untrusted" in page
    assert "Probe 7" not in page and "Probe taken: Probe 3" in page


def test_its_page_says_so_and_shows_the_text_as_found(altered, anna):  # noqa: F811
    page = record_pages.record_page(altered[1])
    assert not page.is_trusted and page.words == trust.ALTERED
    assert page.changes == [] and page.data == []
    assert "Probe 7" in page.raw
    body = shown(get(views.record, anna.user, arguments={"pk": altered[1].pk}))
    assert "Not to be trusted" in body


def test_its_relatives_show_it_as_untrusted(altered):
    children = record_pages.record_page(altered[0]).children
    assert [(one.words, one.is_trusted) for one in children] == [(trust.ALTERED, False)]


def test_the_lineage_marks_it_and_leads_no_further(altered, anna):  # noqa: F811
    walk = lineage.walk(altered[0])
    (child,) = walk.layers[1]
    assert (child.words, child.is_trusted, child.parents) == (trust.ALTERED, False, [])
    assert walk.origin.is_trusted and walk.origin.words == "Probe taken: Probe 1"
    for record in altered[:2]:
        page = shown(get(desk_views.lineage, anna.user, arguments={"pk": record.pk}))
        assert "is-untrusted" in page and trust.ALTERED in page
        assert "not to be trusted" in page.lower()
        assert "Probe 7" not in page
    page = shown(get(desk_views.lineage, anna.user, arguments={"pk": altered[2].pk}))
    assert "is-untrusted" not in page and trust.ALTERED not in page


@pytest.fixture
def valve(desk, as_role) -> list[Record]:  # noqa: F811
    """Two changes of a valve, the second altered by SQL: unreadable from now on."""
    subject = {"type": "tests.valve", "id": "V-1"}
    first = act(1, subject=subject, old=None, new={"number": "V-1", "open": False})
    second = act(2, subject=subject, old={"number": "V-1", "open": False}, new={"open": "half"})
    desk.seal()
    desk.index()
    with as_role("superuser") as session:
        session.execute(
            "ALTER TABLE audit_record DISABLE TRIGGER ALL; "
            f"UPDATE audit_record SET payload = payload || ' ' WHERE id = '{second.pk}'"
        )
    return [first, second]


def test_a_past_state_is_made_without_it_and_says_so(valve, anna):  # noqa: F811
    then = past.as_of("tests.valve", "V-1", timezone.now())
    assert then.state == {"number": "V-1", "open": False}
    assert [one.pk for one in then.altered] == [valve[1].pk]
    assert past.as_of("tests.valve", "V-1", valve[0].recorded_at).altered == ()
    assert subjects.latest("tests.valve") == [("V-1", "V-1")]
    page = shown(get(desk_views.as_of, anna.user, type="tests.valve", id="V-1"))
    assert page.count(trust.ALTERED) == 1
    assert "what is shown may lack changes" in page and "half" not in page


def test_a_past_state_of_sound_records_has_no_mark(desk, anna):  # noqa: F811
    act(1, subject={"type": "tests.valve", "id": "V-2"}, old=None, new={"open": False})
    desk.seal()
    page = shown(get(desk_views.as_of, anna.user, type="tests.valve", id="V-2"))
    assert trust.ALTERED not in page and "Not to be trusted" not in page


def test_a_review_marks_the_entry_that_was_altered_since(desk, as_role):  # noqa: F811
    rosa = enter("rosa", "qa_reviewer").user
    since = timezone.now()
    for number in (1, 2):
        act(number, kind="audit.clock.stepped")
    desk.seal()
    made = reviews.open_review(by=rosa, since=since, until=timezone.now())
    ranked = [UUID(each["id"]) for each in reviews.ranking_of(made)["ranked"]]
    with as_role("superuser") as session:
        session.execute(ALTER.format(ranked[1]))
    page = shown(get(review_page, rosa, arguments={"pk": made.pk}))
    assert page.count(f">{trust.ALTERED}<") == 1
    assert "Probe 7" not in page
    reviews.judge(made, ranked[1], by=rosa, verdict="finding", words="altered by somebody")


def test_a_text_that_cannot_be_read_any_more_is_shown_as_untrusted(desk, as_role):  # noqa: F811
    act(1)
    odd = act(2)
    desk.seal()
    with as_role("superuser") as session:
        session.execute(
            "ALTER TABLE audit_record DISABLE TRIGGER ALL; "
            f"UPDATE audit_record SET payload = payload || ' ' WHERE id = '{odd.pk}'"
        )
    rows = trail_pages.rows_of(list(Record.objects.order_by("-id")))
    doubtful = [row for row in rows if not row.is_trusted]
    assert [row.href for row in doubtful] == [f"/records/{odd.pk}/"]


def test_the_interface_tells_it_too(altered):
    from twin_core.rest.serializers import RecordSerializer

    context = {"untrusted": trust.untrusted(altered)}
    told = RecordSerializer(altered, many=True, context=context).data
    assert [one["is_trusted"] for one in json.loads(json.dumps(told))] == [True, False, True]


def test_a_record_that_waits_for_its_seal_is_trusted_by_its_own_leaf(desk):  # noqa: F811
    assert trust.untrusted([act(1)]) == set()

"""An altered record is shown as untrusted, wherever it is shown; its neighbours are not."""

import json

import pytest

from audit import record_pages, trail_pages, views
from audit.guards import trust
from audit.models import Record
from tests.audit.test_trail_pages import act, anna, desk, get, shown  # noqa: F401  fixtures

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

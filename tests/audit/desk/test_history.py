"""Differences, lineage and past moments, from records alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit import api as audit
from audit import identity, ledger
from audit.actors import os_user_actor
from audit.desk import differences, lineage, past
from audit.desk.lineage_pages import drawing, lineage_page
from audit.desk.marking import excerpt, marked
from audit.desk.scope import EVERYTHING, Scope
from audit.models import Record
from tests.audit.desk.acts import act
from tests.audit.people import enter


# ------------------------------------------------------------------------ differences
@pytest.mark.requirement("URS-WEB-032")
def test_each_member_says_how_it_changed_also_deep_inside():
    old = {"rate": {"value": "1.5", "unit": "L/d"}, "limits": {"low": 1, "high": 9}, "gone": "x"}
    new = {"rate": {"value": "1.7", "unit": "L/d"}, "limits": {"low": 1, "high": 8}, "fresh": None}
    rows = {row.name: (row.old, row.new, row.how) for row in differences.compared(old, new)}
    assert rows == {
        "rate": ("1.5 L/d", "1.7 L/d", "changed"),
        "limits › low": ("1", "1", "same"),
        "limits › high": ("9", "8", "changed"),
        "gone": ("x", "", "removed"),
        "fresh": ("", "", "added"),
    }
    assert [row.is_same for row in differences.compared(old, new)][-1]  # what stayed comes last


@pytest.mark.requirement("URS-WEB-032")
def test_what_was_not_there_before_is_added_alone():
    for nothing in (None, {}):
        rows = differences.compared(nothing, {"a": 1})
        assert [(row.name, row.old, row.new, row.how) for row in rows] == [("a", "", "1", "added")]


@pytest.mark.requirement("URS-WEB-032")
def test_a_number_and_its_text_are_not_the_same():
    assert [row.how for row in differences.compared({"a": 1}, {"a": "1"})] == ["changed"]
    assert [row.how for row in differences.compared({"a": True}, {"a": 1})] == ["changed"]


@pytest.mark.requirement("URS-WEB-032")
def test_a_long_value_is_folded_and_a_summary_stands_before_many_changes():
    assert differences.compared({"a": "x" * 161}, {"a": "y"})[0].is_long
    assert not differences.compared({"a": "x" * 160}, {"a": "y"})[0].is_long
    subject = {"type": "tests.pump", "id": "1"}
    many = differences.subject_changes(
        [
            {"subject": subject, "old": {"a": n, "b": 1}, "new": {"a": n + 1, "b": 1}}
            for n in range(4)
        ]
    )
    assert differences.summary(many[:3]) == []
    assert [(one.anchor, list(one.names), one.unchanged) for one in differences.summary(many)] == [
        (f"change-{n}", ["a"], 1) for n in range(1, 5)
    ]


# ---------------------------------------------------------------------------- marking
@pytest.mark.requirement("URS-WEB-031")
@pytest.mark.parametrize(
    ("text", "wanted", "hits"),
    [
        ("Feed rate raised", ["RATE"], ["rate"]),
        ("Straße und STRASSE", ["strasse"], ["Straße", "STRASSE"]),
        ("aaa", ["aa"], ["aa"]),
        ("one two", ["two", "one"], ["one", "two"]),
        ("nothing", ["else"], []),
        ("", ["x"], []),
        ("ﬁne", ["fin"], ["ﬁn"]),
    ],
)
def test_the_words_searched_for_are_marked_where_they_stand(text, wanted, hits):
    pieces = marked(text, wanted)
    assert "".join(piece for piece, _ in pieces) == text
    assert [piece for piece, is_hit in pieces if is_hit] == hits


@pytest.mark.requirement("URS-WEB-031")
def test_an_excerpt_says_where_the_word_stands():
    content: dict[str, Any] = {
        "actor": {"name": "Anna"},
        "changes": [
            {
                "subject": {"type": "a.pump", "id": "7"},
                "old": None,
                "new": {"place": "x" * 90 + "north"},
            }
        ],
        "data": None,
    }
    where, pieces = excerpt(content, ["north"])
    assert where == "pump › place, after"
    assert [piece for piece, is_hit in pieces if is_hit] == ["north"]
    assert pieces[0][0].startswith("…")
    assert excerpt(content, ["south"]) == ("", ())
    content["changes"][0]["new"] = {"tag": "feed.rate of BR-201"}
    assert excerpt(content, ["feed", "rate"])[1] == (
        ("feed", True),
        (".", False),
        ("rate", True),
        (" of BR-201", False),
    )


# ---------------------------------------------------------------------------- lineage
def family(desk: Any, *, indexed: int) -> dict[str, Record]:
    """sample <- estimate <- advice <- write, and a second advice; some of it indexed."""
    made: dict[str, Record] = {}
    for place, (name, parents) in enumerate(
        {
            "sample": (),
            "estimate": ("sample",),
            "advice": ("estimate",),
            "other": ("estimate", "sample"),
            "write": ("advice", "other"),
        }.items()
    ):
        title = {"title": name}
        made[name] = act(place, parents=[made[one].leaf for one in parents], data=title)
        if place + 1 == indexed:
            desk.seal()
            desk.index()
    return made


def named(walk: lineage.Walk) -> dict[int, list[str]]:
    return {
        number: sorted(audit.content(node.record)["data"]["title"] for node in nodes if node.record)
        for number, nodes in walk.layers.items()
    }


@pytest.mark.requirement("URS-WEB-033")
@pytest.mark.parametrize("indexed", [0, 3, 5])
def test_lineage_leads_up_and_down_whatever_is_indexed(desk, indexed):
    made = family(desk, indexed=indexed)
    assert named(lineage.walk(made["estimate"], up=3, down=3)) == {
        -1: ["sample"],
        0: ["estimate"],
        1: ["advice", "other"],
        2: ["write"],
    }
    up = lineage.walk(made["write"], up=1, down=1)
    assert named(up) == {0: ["write"], -1: ["advice", "other"]}
    assert (up.goes_on_up, up.goes_on_down) == (True, False)
    assert not lineage.walk(made["write"], up=3, down=0).goes_on_up
    assert lineage.walk(made["sample"], up=0, down=1).goes_on_down


@pytest.mark.requirement("URS-WEB-033")
def test_what_is_left_out_or_not_found_is_said(desk, monkeypatch):
    monkeypatch.setattr(lineage, "WIDTH", 2)
    stranger = bytes(32)
    root = citing(stranger)
    for number in range(1, 6):
        act(number, parents=[root.leaf])
    walk = lineage.walk(root)
    assert len(walk.layers[1]) == 2
    assert walk.left_out == {1: 3}
    assert walk.layers[-1][0].words == "A record that is not in this ledger"
    picture = drawing(walk)
    assert [words for _, _, words in picture.more] == ["and 3 more"]
    assert len(picture.paths) == 3


def citing(stranger: bytes) -> Record:
    """Write a record that cites what is not there, which ``append`` would refuse."""
    told = {"stream": "batch/B-1", "kind": "tests.probe.taken"}
    payload = ledger.payload_of(**told, parents=[stranger])
    with connection.cursor() as cursor:
        put = "INSERT INTO audit_record (stream, kind, payload) VALUES (%s, %s, %s) RETURNING id"
        cursor.execute(put, [*told.values(), payload])
        return Record.objects.get(pk=cursor.fetchone()[0])


@pytest.mark.requirement("URS-WEB-033")
@pytest.mark.requirement("URS-WEB-038")
def test_a_record_outside_the_scope_is_counted_and_not_told(desk):
    parent = act(0, stream="batch/B-1", data={"title": "secret"})
    child = act(1, stream="batch/B-2", parents=[parent.leaf])
    walk = lineage.walk(child, scope=Scope(True, ("batch/B-2",)))
    assert walk.layers[-1][0].words == "A record outside your scope"
    assert walk.layers[-1][0].record is None


@pytest.mark.requirement("URS-WEB-033")
def test_records_that_cite_one_content_are_told_of_each_other(desk, rf):
    with transaction.atomic():
        blob = audit.put_blob(b"spectrum", "text/plain")
        first, second = act(1, blobs=[blob]), act(2, blobs=[blob])
    page = lineage_page(first, rf.get("/").GET, EVERYTHING)
    assert [one.leaf for one in page.sharing] == [bytes(second.leaf).hex()]


# --------------------------------------------------------------------- past moments
@pytest.fixture
def anna(desk: Any) -> dict[str, Any]:
    """A person whose name and activity changed, with the moments between."""
    by = os_user_actor()
    before = timezone.now()
    person = enter("anna", "auditor", printed_name="Anna Meier").user
    first = timezone.now()
    identity.change_person(person, by=by, reason="married", printed_name="Anna Keller")
    desk.seal()
    desk.index()
    second = timezone.now()
    identity.change_person(person, by=by, reason="left", is_active=False)
    return {"person": person, "moments": [before, first, second, timezone.now()]}


@pytest.mark.requirement("URS-WEB-034")
def test_a_person_is_what_the_ledger_said_at_each_moment(anna):
    key = str(anna["person"].pk)
    states = [audit.state.as_of("audit.user", key, moment).state for moment in anna["moments"]]
    assert states[0] is None
    assert [(one["printed_name"], one["is_active"]) for one in states[1:] if one] == [
        ("Anna Meier", True),
        ("Anna Keller", True),
        ("Anna Keller", False),
    ]


@pytest.mark.requirement("URS-WEB-034")
def test_the_state_now_is_the_row(anna):
    anna["person"].refresh_from_db()
    then = audit.state.as_of("audit.user", str(anna["person"].pk), timezone.now())
    assert then.state == anna["person"].state_fields()
    assert then.record is not None
    assert then.record.pk == anna["person"].record_id
    assert then.unjoined == ()


@pytest.mark.requirement("URS-WEB-034")
def test_a_change_that_follows_from_nothing_is_shown_as_such(desk):
    subject = {"type": "tests.valve", "id": "V-1"}
    act(1, subject=subject, old=None, new={"open": False})
    odd = act(2, subject=subject, old={"open": "half"}, new={"open": True})
    then = past.as_of("tests.valve", "V-1", timezone.now())
    assert then.state == {"open": False}
    assert [one.pk for one in then.unjoined] == [odd.pk]


@pytest.mark.requirement("URS-WEB-034")
def test_the_moment_of_a_record_is_within_it(desk):
    subject = {"type": "tests.valve", "id": "V-1"}
    made = act(1, subject=subject, old=None, new={"open": False})
    at = made.recorded_at
    assert past.as_of("tests.valve", "V-1", at).state == {"open": False}
    assert past.as_of("tests.valve", "V-1", at - timedelta(microseconds=1)).state is None


@pytest.mark.requirement("URS-WEB-034")
def test_a_subject_whose_beginning_is_gone_is_told_from_its_first_record_and_said_to_be(desk):
    subject = {"type": "tests.valve", "id": "V-1"}
    act(1, subject=subject, old={"open": False}, new={"open": True})
    then = past.as_of("tests.valve", "V-1", timezone.now())
    assert then.is_cut
    assert then.state == {"open": True}
    assert then.unjoined == ()

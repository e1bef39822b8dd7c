"""What a person sees can be limited: in search, on pages, in exports; by another's recorded act."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from audit import api as audit
from audit import exports, views
from audit.desk import review_views, scope
from audit.desk import views as desk_views
from audit.models import Record
from audit.refusals import NotEntitled
from audit.session_store import SessionStore
from tests.audit.desk.acts import act, found
from tests.audit.people import enter

pytestmark = pytest.mark.requirement("URS-WEB-038")


@pytest.fixture
def people(desk: Any) -> dict[str, Any]:
    """An auditor limited to one batch, and the administrator who did it."""
    anna, root = enter("anna", "auditor").user, enter("root", "system_administrator").user
    scope.grant(anna, "batch/B-1", by=root, reason="their batch alone")
    return {"anna": anna, "root": root}


def get(view: Any, user: Any, **options: Any) -> HttpResponse:
    request = RequestFactory().get("/", options.pop("query", {}))
    request.user, request.session = user, SessionStore()
    return view(request, **options)


def test_a_scope_is_a_recorded_act_and_can_be_taken_back(people):
    anna, root = people["anna"], people["root"]
    assert scope.of(anna).as_told() == ["batch/B-1"]
    told = audit.content(Record.objects.get(kind="audit.scope.granted"))
    assert told["reason"] == "their batch alone"
    scope.grant(anna, "asset/*", by=root, reason="and the equipment")
    assert scope.of(anna).allows("asset/BR-101")
    assert not scope.of(anna).allows("assets/BR-101")
    for stream in ("batch/B-1", "asset/*"):
        scope.revoke(anna, stream, by=root, reason="no longer needed")
    assert not scope.of(anna).is_limited
    scope.grant(anna, "batch/B-1", by=root, reason="again")
    assert scope.of(anna).as_told() == ["batch/B-1"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("batch", "limited to batch already"), ("a b", "names no stream"), ("*", "no")],
)
def test_a_scope_that_is_wrong_or_there_already_is_refused(people, name, words):
    if name == "batch":
        scope.grant(people["anna"], name, by=people["root"], reason="first time")
    with pytest.raises(scope.ScopeRefused, match=words):
        scope.grant(people["anna"], name, by=people["root"], reason="second time")
    with pytest.raises(scope.ScopeRefused, match="is not limited to x"):
        scope.revoke(people["anna"], "x", by=people["root"], reason="by mistake")


def test_nobody_changes_what_they_see_themselves(people):
    for who in (people["anna"], people["root"]):
        with pytest.raises(NotEntitled):
            scope.revoke(who, "batch/B-1", by=who, reason="I want to see all")
    with pytest.raises(NotEntitled):
        scope.grant(people["root"], "batch/B-1", by=people["root"], reason="no")


def test_pages_of_records_outside_are_refused_by_address(people):
    outside, inside = act(2), act(1)
    for view in (views.record, views.payload, desk_views.lineage):
        with pytest.raises(NotEntitled, match="outside the streams"):
            get(view, people["anna"], pk=outside.pk)
        assert get(view, people["anna"], pk=inside.pk).status_code == 200
    with pytest.raises(NotEntitled):
        get(views.blob, people["anna"], pk=outside.pk, digest="0" * 64)


def test_the_trail_and_past_moments_show_nothing_from_outside(people):
    act(2, subject={"type": "tests.pump", "id": "P-2"})
    act(1, subject={"type": "tests.pump", "id": "P-1"})
    page = get(views.trail, people["anna"]).content.decode()
    assert "Probe 001" in page
    assert "Probe 002" not in page
    assert "You see a part of the trail" in page
    for key, is_seen in (("P-1", True), ("P-2", False)):
        asked = {"type": "tests.pump", "id": key}
        shown = get(desk_views.as_of, people["anna"], query=asked).content.decode()
        assert ("no such subject" not in shown) is is_seen
    assert found(scope.of(people["anna"])) == ["Probe 001"]


def test_reviews_of_every_stream_are_not_shown_to_a_limited_person(people):
    page = get(review_views.reviews_list, people["anna"]).content.decode()
    assert "Not reviewed" not in page


def test_an_export_holds_what_the_person_may_see_and_says_so(people, desk, tmp_path):
    for number in range(6):
        act(number)
    desk.seal()
    exports.export(tmp_path / "bundle", actor=people["anna"], reason="inspection")
    lines = Path(tmp_path / "bundle" / "records.jsonl").read_text().splitlines()
    assert [json.loads(line)["data"]["title"] for line in lines] == ["Probe 001", "Probe 004"]
    told = audit.content(Record.objects.get(kind="audit.export.made"))["data"]
    assert told["scope"] == ["batch/B-1"]
    assert told["records"] == 2

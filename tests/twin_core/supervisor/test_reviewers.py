"""Scripted reviewers sign through the interface as people do: each code once, in turn."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from twin_core.supervisor.people import fresh
from twin_core.supervisor.reviewers import REVIEWERS, InterfaceFailed, Reviewers

VIEW = "a" * 64


class Desk:
    """An interface with one recommendation that needs two signatures."""

    def __init__(self):
        self.signed, self.signed_in, self.waits = [], [], {}
        self.needed, self.fails = 2, False

    def answer(self, request):
        name = request.headers.get("Who")
        if self.fails:
            return httpx.Response(503, text="away")
        body = json.loads(request.content or b"{}")
        match request.method, request.url.path:
            case "POST", "/api/session/":
                self.signed_in.append(body["username"])
                return httpx.Response(201, json=self.session(name))
            case "GET", "/api/session/":
                return httpx.Response(200, json=self.session(name))
            case "GET", "/api/recommendations/":
                rows = [] if self.is_done() else [{"id": "1"}]
                return httpx.Response(200, json={"results": rows})
            case "GET", "/api/recommendations/1/":
                return httpx.Response(200, json=self.item(name))
            case "POST", "/api/recommendations/1/approve/":
                assert body["view"] == VIEW
                assert request.headers["X-CSRFToken"] == f"token of {name}"
                self.signed.append(name)
                return httpx.Response(200, json=self.item(name))
        return httpx.Response(404)

    def is_done(self):
        return len(self.signed) >= self.needed

    def item(self, name):
        because = ["you have signed this already"] if name in self.signed else []
        state = "approved" if self.is_done() else "proposed"
        return {
            "id": "1",
            "batch": "B",
            "title": "Harvest",
            "view": VIEW,
            "state": state,
            "refused_because": because,
        }

    def session(self, name):
        ready = datetime.now(UTC) + self.waits.get(name, timedelta(0))
        return {"csrf_token": f"token of {name}", "next_code_at": ready.isoformat()}


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def reviewers(desk):
    said = []
    made = Reviewers("http://desk", {name: fresh() for name in REVIEWERS}, said.append)
    for person in made.people:
        person.client = httpx.Client(
            base_url="http://desk",
            transport=httpx.MockTransport(desk.answer),
            headers={"Who": person.username},
        )
    made.said = said
    return made


def test_as_many_sign_as_are_needed_and_each_once(desk, reviewers):
    for _ in range(5):
        reviewers.act()
    assert desk.signed == list(REVIEWERS[:2])
    assert len(set(desk.signed_in)) == len(desk.signed_in)
    assert reviewers.said[-1].endswith("approved")


def test_nobody_else_signs_in_while_there_is_nothing_to_sign(desk, reviewers):
    desk.needed = 0
    for _ in range(3):
        reviewers.act()
    assert desk.signed_in == [REVIEWERS[0]]


def test_a_reviewer_whose_code_is_used_waits_for_the_next(desk, reviewers):
    desk.waits = {name: timedelta(seconds=30) for name in REVIEWERS}
    for _ in range(3):
        reviewers.act()
    assert desk.signed == []  # each used a code to sign in, and the next is not there yet


def test_an_interface_that_is_away_is_told_in_words(desk, reviewers):
    desk.fails = True
    with pytest.raises(InterfaceFailed, match="/api/session/: 503 away"):
        reviewers.act()

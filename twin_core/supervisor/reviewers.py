"""Scripted reviewers: they sign through the same interface as everybody, and wait their turn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from twin_core.supervisor.people import Secrets

REVIEWERS = ("robin", "quinn", "rosa")  # high-impact advice needs two of them
REASON = "reviewed by script: limits, trend and evidence agree"
PATIENCE = 20.0  # seconds for one answer
Say = Callable[[str], None]


class InterfaceFailed(RuntimeError):
    """The interface gave an answer that no script can go on from."""


@dataclass
class Reviewer:
    """One person at the interface, with password and code generator at hand."""

    username: str
    held: Secrets
    client: httpx.Client
    ready_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    is_signed_in: bool = False

    def sign_in(self) -> None:
        """Open a session; every later request carries its cookie and token."""
        answer = self.client.post("/api/session/", json={"username": self.username, **self.proof()})
        self._accept(answer)
        self._note(answer.json())
        self.is_signed_in = True

    def proof(self) -> dict[str, str]:
        return {"password": self.held.password, "code": self.held.code(datetime.now(UTC))[0]}

    def is_ready(self) -> bool:
        """Return whether the present code has not been used up."""
        return datetime.now(UTC) >= self.ready_at

    def proposals(self) -> list[dict[str, Any]]:
        found = self.client.get("/api/recommendations/", params={"state": "proposed"})
        return list(self._accept(found).json()["results"])

    def read(self, identity: str) -> dict[str, Any]:
        return dict(self._accept(self.client.get(f"/api/recommendations/{identity}/")).json())

    def approve(self, item: Mapping[str, Any]) -> httpx.Response:
        """Sign what was read; whatever is answered, the code may be used up."""
        answer = self.client.post(
            f"/api/recommendations/{item['id']}/approve/",
            json={"view": item["view"], "reason": REASON, **self.proof()},
        )
        self._note(self._accept(self.client.get("/api/session/")).json())
        return answer

    def _note(self, session: Mapping[str, Any]) -> None:
        self.client.headers["X-CSRFToken"] = session["csrf_token"]
        self.ready_at = datetime.fromisoformat(session["next_code_at"])

    def _accept(self, answer: httpx.Response) -> httpx.Response:
        if not answer.is_success:
            raise InterfaceFailed(
                f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
            )
        return answer


class Reviewers:
    """Several reviewers at one address; each pass signs what waits, each as far as codes allow.

    The first one looks; the others sign in when there is something that may need them.
    """

    def __init__(self, address: str, everybody: Mapping[str, Secrets], say: Say) -> None:
        self.say = say
        self.people = [
            Reviewer(name, everybody[name], httpx.Client(base_url=address, timeout=PATIENCE))
            for name in REVIEWERS
        ]

    def act(self) -> None:
        """Let each in turn sign one item that is open to them."""
        first, *others = self.people
        if not first.is_signed_in:
            first.sign_in()
        if not first.proposals():
            return
        for person in (first, *others):
            if person.is_ready() and person.is_signed_in:
                self._review(person)
            elif person.is_ready():
                person.sign_in()

    def _review(self, person: Reviewer) -> None:
        """Sign the newest item that this person may sign: one code, one signature."""
        for row in person.proposals():
            item = person.read(row["id"])
            if item["refused_because"]:
                continue
            answer = person.approve(item)
            state = answer.json().get("state") or f"refused, {answer.json().get('detail')}"
            self.say(f"{person.username} signed {item['batch']}: {item['title']}: {state}")
            return

    def close(self) -> None:
        for person in self.people:
            person.client.close()

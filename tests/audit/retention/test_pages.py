"""The page "Archive and holds": what it shows, and its signed acts."""

from typing import Any

import pytest
from django.contrib.messages.storage.fallback import FallbackStorage
from django.test import RequestFactory
from django.utils import timezone

from audit import api, signatures, views
from audit.models import LegalHold, Record
from audit.refusals import NotEntitled
from audit.retention import drops, holds
from audit.retention import views as pages
from audit.session_store import SessionStore
from tests.audit.people import enter
from tests.audit.retention.old_months import OLD

pytestmark = pytest.mark.requirement("URS-AUD-062")


@pytest.fixture(autouse=True)
def addresses(settings):
    settings.ROOT_URLCONF = "tests.audit.desk_urls"


def send(view: Any, person: Any, data: dict[str, str] | None = None, **arguments: Any) -> Any:
    factory = RequestFactory()
    request = factory.get("/archive/") if data is None else factory.post("/archive/", data)
    request.user, request.session = person.user, SessionStore()
    request._messages = FallbackStorage(request)
    return view(request, **arguments)


def signing(person: Any, view: dict[str, Any], **more: str) -> dict[str, str]:
    return {
        "view": signatures.view_digest(view),
        "reason": "as agreed",
        "password": person.password,
        "code": person.code(timezone.now()),
        **more,
    }


HOLD = {"scope": "stream", "value": "batch/B-1", "matter": "case 12"}


def test_months_holds_and_policy_are_shown_with_their_state(decades):
    decades.archive()
    decades.hold("month", OLD)
    text = send(pages.archive, decades.third).content.decode()
    assert OLD in text and "archived" in text and "held" in text and "case 7" in text
    assert "for ever" in text and "0 of 2" in text
    assert f"{timezone.now():%Y-%m}" in text and "open" in text


def test_a_ledger_without_archives_says_so(ledger_db):
    text = send(pages.archive, enter("otto", "auditor")).content.decode()
    assert "Nothing is held" in text and "No policy is in force" in text
    assert "Set this hold" not in text  # an auditor reads


def test_a_person_without_a_role_sees_nothing(ledger_db):
    with pytest.raises(NotEntitled):
        send(pages.archive, enter("nora"))


def test_a_hold_is_set_from_the_page_by_password_and_code(decades):
    person = enter("dora", "qa_reviewer")
    view = holds.view_of_setting(*HOLD.values())
    assert send(pages.hold, person, signing(person, view, **HOLD)).status_code == 302
    held = LegalHold.objects.get()
    assert (held.scope, held.value, held.is_active) == ("stream", "batch/B-1", True)
    assert signatures.signatures_of(held.record)[0].is_valid


def test_what_was_changed_after_it_was_shown_is_not_signed(decades):
    person = enter("dora", "qa_reviewer")
    view = holds.view_of_setting(*HOLD.values())
    sent = signing(person, view, **{**HOLD, "value": "batch/B-2"})
    answer = send(pages.hold, person, sent)
    assert answer.status_code == 409 and not LegalHold.objects.exists()
    assert "data-open-now" in answer.content.decode()
    assert Record.objects.filter(kind="audit.signature.refused").exists()


def test_a_wrong_password_sets_no_hold_and_is_recorded(decades):
    person = enter("dora", "qa_reviewer")
    view = holds.view_of_setting(*HOLD.values())
    answer = send(pages.hold, person, signing(person, view, **HOLD, password="wrong"))
    assert answer.status_code == 403 and not LegalHold.objects.exists()


def test_an_unclear_hold_is_sent_back(decades):
    person = enter("dora", "qa_reviewer")
    sent = {**HOLD, "scope": "month"}
    answer = send(pages.hold, person, sent)
    assert "is no month" in answer.content.decode() and not LegalHold.objects.exists()


def test_a_hold_is_released_from_the_page(decades):
    person, hold = enter("dora", "qa_approver"), decades.hold("month", OLD)
    sent = signing(person, holds.view_of_release(hold))
    assert send(pages.release, person, sent, pk=hold.pk).status_code == 302
    assert not LegalHold.objects.get().is_active


@pytest.mark.requirement("URS-AUD-064")
def test_a_drop_is_approved_from_the_page_once_by_each_person(decades):
    decades.archive()
    person = enter("dora", "qa_approver")
    assert f"approve-{OLD}" in send(pages.archive, person).content.decode()
    sent = signing(person, drops.view(OLD))
    assert send(pages.approve_drop, person, sent, month=OLD).status_code == 302
    text = send(pages.archive, person).content.decode()
    assert "1 of 2" in text and f"approve-{OLD}" not in text


@pytest.mark.requirement("URS-AUD-064")
def test_an_approval_that_is_refused_says_why_and_is_recorded(decades):
    decades.archive()
    person = enter("dora", "qa_approver")
    decades.hold("month", OLD)
    answer = send(pages.approve_drop, person, signing(person, drops.view(OLD)), month=OLD)
    assert answer.status_code == 409
    told = api.content(Record.objects.get(kind="audit.retention.refused"))
    assert told["data"]["reasons"] == [f"held: month {OLD} (case 7)"]


@pytest.mark.requirement("URS-AUD-065")
def test_the_page_of_a_dropped_record_says_where_its_text_is(decades):
    decades.dropped()
    answer = send(views.record, decades.third, pk=decades.keys[0])
    text = answer.content.decode()
    assert answer.status_code == 410
    assert f"archive of {OLD}" in text and "dropped after its time" in text

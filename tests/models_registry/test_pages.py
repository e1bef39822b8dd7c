"""The registry's pages: what a person sees, signs, and is refused."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit import api as audit
from models_registry import testing, versions
from models_registry.lifecycle import Phase
from models_registry.models import ModelVersion
from tests.audit.people import PASSWORD, enter
from tests.models_registry.conftest import person


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves: each code is accepted once."""

    class Clock:
        now = timezone.now()

        def next_code(self):
            self.now += timedelta(seconds=30)
            return self.now

    clock = Clock()
    monkeypatch.setattr(timezone, "now", lambda: clock.now)
    return clock


@pytest.fixture
def staff(ledger_db, clock):
    return {role: enter(role.replace("_", "-"), role) for role in ("qa_approver", "auditor")} | {
        "author": enter("author", "process_engineer", "qa_approver")
    }


@pytest.fixture
def version_in(staff, prove):
    with transaction.atomic():
        others = ("process_engineer", "validation_engineer", "qa_reviewer")
        people = {role: person(role, role) for role in others}
    people |= {role: member.user for role, member in staff.items()}

    def walked(phase, **changes):
        with transaction.atomic():
            return testing.version_in(phase, people=people, prove=prove, **changes)

    return walked


@pytest.fixture
def sign_in(staff, clock):
    def signed_in(role):
        client, member = Client(), staff[role]
        given = {
            "username": member.user.username,
            "password": PASSWORD,
            "code": member.code(clock.next_code()),
        }
        assert client.post("/sign-in/", given).status_code == 302
        return client

    return signed_in


def page_of(version):
    return reverse("models_registry:version", args=[version.pk])


def act_of(version, action):
    return reverse("models_registry:act", args=[version.pk, action])


def signing(version, action, signer, now, **changes):
    return {
        "view": audit.view_digest(versions.view_of(version, action)),
        "reason": "fit for use",
        "password": PASSWORD,
        "code": signer.code(now),
        **changes,
    }


@pytest.mark.requirement("URS-REG-006")
def test_the_page_shows_card_scores_beside_baselines_digests_and_signatures(version_in, sign_in):
    version = version_in(Phase.IN_FORCE)
    page = sign_in("auditor").get(page_of(version)).content.decode()
    for shown in (
        "support the time of harvest",
        "The culture is well mixed.",
        "No statement on titer.",
        "0.07",
        "0.12",
        "0.113",
        "at most 0.08",
        version.artefact_digest,
        version.test_digest,
        "Qa-Approver Example",
        "Release",
    ):
        assert shown in page, shown
    assert "data-open=" not in page.split("<main")[1]  # an auditor has nothing to sign


@pytest.mark.requirement("URS-REG-003")
def test_a_person_signs_the_next_phase_on_the_page(version_in, sign_in, staff, clock):
    version, client = version_in(Phase.VALIDATED), sign_in("qa_approver")
    assert 'id="sign-put_in_force"' in client.get(page_of(version)).content.decode()
    now = clock.next_code()
    given = signing(version, "put_in_force", staff["qa_approver"], now)
    answer = client.post(act_of(version, "put_in_force"), given)
    assert (answer.status_code, answer.url) == (302, page_of(version))
    assert ModelVersion.objects.get(pk=version.pk).phase == Phase.IN_FORCE


def refused_kinds():
    found = audit.Record.objects.filter(kind__endswith=".refused").order_by("id")
    return list(found.values_list("kind", flat=True))


@pytest.mark.requirement("URS-REG-003")
def test_the_author_is_not_offered_the_act_and_refused_when_asking(
    version_in, sign_in, staff, clock
):
    version, client = version_in(Phase.VALIDATED), sign_in("author")
    page = client.get(page_of(version)).content.decode()
    assert 'id="sign-put_in_force"' not in page
    assert "the author of a version does not approve it" in page
    given = signing(version, "put_in_force", staff["author"], clock.next_code())
    answer = client.post(act_of(version, "put_in_force"), given)
    assert answer.status_code == 409
    assert "data-open-now" in answer.content.decode()
    assert ModelVersion.objects.get(pk=version.pk).phase == Phase.VALIDATED
    assert refused_kinds() == ["models_registry.version.put_in_force.refused"]


@pytest.mark.requirement("URS-REG-003")
def test_a_wrong_code_is_refused_and_the_dialog_keeps_the_reason(version_in, sign_in, staff, clock):
    version, client = version_in(Phase.VALIDATED), sign_in("qa_approver")
    given = signing(version, "put_in_force", staff["qa_approver"], clock.next_code(), code="1")
    answer = client.post(act_of(version, "put_in_force"), given)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "fit for use" in page and PASSWORD not in page
    assert ModelVersion.objects.get(pk=version.pk).phase == Phase.VALIDATED


@pytest.mark.requirement("URS-REG-003")
def test_what_moved_since_the_page_was_read_is_not_signed(version_in, sign_in, staff, clock):
    version, client = version_in(Phase.VALIDATED), sign_in("qa_approver")
    now = clock.next_code()
    given = signing(version, "put_in_force", staff["qa_approver"], now, view="0" * 64)
    answer = client.post(act_of(version, "put_in_force"), given)
    assert answer.status_code == 409
    present = audit.view_digest(versions.view_of(version, "put_in_force"))
    assert present in answer.content.decode()


@pytest.mark.parametrize("missing", ["reason", "password", "code", "view"])
def test_a_form_that_lacks_something_signs_nothing(version_in, sign_in, staff, clock, missing):
    version, client = version_in(Phase.VALIDATED), sign_in("qa_approver")
    given = signing(version, "put_in_force", staff["qa_approver"], clock.next_code())
    del given[missing]
    assert client.post(act_of(version, "put_in_force"), given).status_code == 422
    assert ModelVersion.objects.get(pk=version.pk).phase == Phase.VALIDATED


@pytest.mark.requirement("URS-REG-004")
def test_the_list_shows_every_version_and_what_was_in_force_at_a_moment(version_in, sign_in):
    before = timezone.now() - timedelta(minutes=1)
    version_in(Phase.IN_FORCE)
    version_in(Phase.DRAFTED, name="successor")
    client, address = sign_in("auditor"), reverse("models_registry:models")
    page = client.get(address).content.decode()
    assert "v1" in page and "successor" in page
    then = client.get(address, {"as_of": f"{before:%Y-%m-%dT%H:%M:%S}"}).content.decode()
    assert "Nothing was in force then" in then
    later = timezone.now() + timedelta(hours=1)
    now = client.get(address, {"as_of": f"{later:%Y-%m-%dT%H:%M:%S}"}).content.decode()
    assert "v1" in now and "successor" not in now


@pytest.mark.parametrize("address", ["/models/", "/models/00000000-0000-7000-8000-000000000000/"])
def test_nobody_reads_models_without_signing_in(ledger_db, client, address):
    assert client.get(address).status_code == 302


def test_an_unknown_version_or_act_is_not_found(version_in, sign_in):
    client, version = sign_in("auditor"), version_in(Phase.DRAFTED)
    assert client.get("/models/00000000-0000-7000-8000-000000000000/").status_code == 404
    assert client.post(act_of(version, "promote"), {}).status_code == 404

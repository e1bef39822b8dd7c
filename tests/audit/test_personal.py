"""Personal text is erased by a signed act; every hash, signature and proof goes on holding."""

from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client, RequestFactory, override_settings

from audit import (
    erasure_views,
    erasures,
    exports,
    identity,
    keys,
    ledger,
    personal,
    record_pages,
    signatures,
    state,
    verifier,
)
from audit.actors import os_user_actor
from audit.management.commands import erase_personal
from audit.models import PersonalKey, Record, Role, User
from audit.refusals import NotEntitled
from tests.audit.people import NOON, PASSWORD, STEP, Person, enter
from tests.audit.sealing import Ledger

pytestmark = pytest.mark.requirement("URS-AUD-056")
ADDRESS = "wanda@example.org"
WHY = "asked for by the person"


@pytest.fixture
def ada(ledger: Ledger, tmp_path: Path) -> Person:
    """A system administrator."""
    return enter("ada", Role.SYSTEM_ADMINISTRATOR)


@pytest.fixture
def wanda(ada: Person) -> User:
    """A person with an address."""
    return identity.create_person(
        "wanda", "Wanda Weiss", email=ADDRESS, by=os_user_actor(), reason="works here"
    )


def erased(wanda: User, ada: Person, now: Any = NOON) -> Record:
    """Erase as a page would, at a moment whose code has not been used."""
    view = signatures.view_digest(erasures.view_of(wanda))
    proof = ada.prove(now)
    with mock.patch.object(signatures.timezone, "now", return_value=now):
        return erasures.erase(wanda, by=ada.user, proof=proof, reason=WHY, shown=view)


def everything_stored() -> bytes:
    """Return all that the database holds, as text."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(t::text, ' ') FROM (SELECT payload AS t FROM audit_record "
            "UNION ALL SELECT u::text FROM audit_user u "
            "UNION ALL SELECT encode(content, 'escape') FROM audit_blob) all_texts"
        )
        return cursor.fetchone()[0].encode()


def test_an_address_stands_nowhere_in_clear_and_is_shown(wanda):
    assert wanda.email.startswith("personal:")
    assert wanda.email_shown == ADDRESS
    assert ADDRESS.encode() not in everything_stored()
    page = record_pages.record_page(
        Record.objects.get(kind="audit.person.created", id=wanda.record_id)
    )
    assert ADDRESS in {row.new for change in page.changes for row in change.rows}


def test_after_the_erasure_the_text_is_gone_and_all_else_verifies(wanda, ada, ledger, tmp_path):
    ledger.seal()
    record = erased(wanda, ada)
    ledger.seal()
    assert User.objects.get(pk=wanda.pk).email_shown == "erased"
    assert not PersonalKey.objects.filter(secret__isnull=False).exists()
    assert ledger.verify().finding is None
    assert list(state.differences()) == []
    (signature,) = signatures.signatures_of(record)
    assert signature.is_valid and signature.printed_name == "Ada Example"
    page = record_pages.record_page(Record.objects.get(id=wanda.record_id))
    shown = {row.new for change in page.changes for row in change.rows}
    assert "erased" in shown and "Wanda Weiss" in shown


def test_a_bundle_exported_after_the_erasure_verifies_and_does_not_hold_the_text(
    wanda, ada, ledger, tmp_path, settings
):
    settings.LEDGER_PUBLIC_KEY_FILE = tmp_path / "ledger.pub"
    settings.LEDGER_PUBLIC_KEY_FILE.write_text("".join(f"{key}\n" for key in ledger.keys))
    erased(wanda, ada)
    ledger.seal()
    exports.export(tmp_path / "bundle", filters=exports.Filters(), actor=ada.user, reason="check")
    found = verifier.verify(tmp_path / "bundle", trust=settings.LEDGER_PUBLIC_KEY_FILE)
    assert found is not None
    texts = [path.read_bytes() for path in (tmp_path / "bundle").rglob("*") if path.is_file()]
    assert not any(ADDRESS.encode() in text for text in texts)


def test_nobody_erases_their_own_text(ada):
    identity_of = ada.user
    with pytest.raises(NotEntitled, match="their own"):
        erasures.erase(identity_of, by=identity_of, proof=ada.prove(), reason=WHY, shown="0" * 64)


def test_only_a_system_administrator_erases_and_nothing_is_lost_by_a_refusal(wanda, ada):
    quinn = enter("quinn", Role.QA_APPROVER)
    with pytest.raises(NotEntitled, match="system administrator"):
        erased(wanda, quinn)
    assert User.objects.get(pk=wanda.pk).email_shown == ADDRESS
    assert not Record.objects.filter(kind=erasures.KIND).exists()


def test_a_view_that_has_moved_is_not_signed(wanda, ada):
    with pytest.raises(signatures.ViewChanged):
        erasures.erase(wanda, by=ada.user, proof=ada.prove(), reason=WHY, shown="0" * 64)
    assert wanda.email_shown == ADDRESS


def test_there_is_nothing_to_erase_twice(wanda, ada):
    erased(wanda, ada)
    with pytest.raises(erasures.ErasureRefused, match="no personal text"):
        erased(wanda, ada, NOON + 2 * STEP)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_personalkey SET secret = NULL, erasure = uuidv7()",
        "UPDATE audit_personalkey SET secret = '\\x00'",
        "UPDATE audit_personalkey SET person_id = (SELECT id FROM audit_user WHERE username='ada')",
        "DELETE FROM audit_personalkey",
        "TRUNCATE audit_personalkey",
    ],
)
@pytest.mark.parametrize("role", ["application", "superuser"])
def test_a_key_is_not_changed_removed_or_destroyed_without_its_record(
    wanda, as_role, statement, role
):
    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.IntegrityConstraintViolation)
    with pytest.raises(refused):
        as_role(role).execute(statement)


def test_a_destroyed_key_does_not_come_back(wanda, ada):
    erased(wanda, ada)
    with pytest.raises(DatabaseError, match="destroyed or stays"), transaction.atomic():
        PersonalKey.objects.update(secret=b"x", erasure=None)


def test_a_new_address_after_an_erasure_has_a_key_of_its_own(wanda, ada):
    erased(wanda, ada)
    fresh = identity.change_person(wanda, by=os_user_actor(), reason="back", email="w@example.org")
    assert fresh.email_shown == "w@example.org"
    assert personal.shown(wanda.email) == "erased"
    assert PersonalKey.objects.count() == 2


def test_the_same_address_again_is_no_change(wanda):
    with pytest.raises(identity.IdentityRefused, match="nothing would change"):
        identity.change_person(wanda, by=os_user_actor(), reason="again", email=ADDRESS)


def test_an_address_from_before_is_shown_as_it_is():
    assert personal.shown("old@example.org") == "old@example.org"


def test_a_token_of_another_installation_or_key_says_that_it_cannot_be_opened(wanda):
    head, _, _ = wanda.email.rpartition(":")
    for token in (
        "personal:0190c3b4-0000-7000-8000-000000000000:AAAA",
        "personal:odd",
        f"{head}:{'A' * 60}",
    ):
        assert personal.shown(token) == "(cannot be opened)"
        with pytest.raises(keys.KeyRefused):
            personal.unseal(token)


def test_text_without_the_installations_key_is_refused_with_the_way_out(wanda, tmp_path):
    with override_settings(PERSONAL_KEY_FILE=tmp_path / "personal.key"):
        with pytest.raises(keys.KeyRefused, match="key backup"):
            personal.unseal(wanda.email)
        assert wanda.email_shown == "(cannot be opened)"


def brought_back(wanda: User, as_role: Any, secret: bytes) -> None:
    """Do what a restored backup does: the wrapped key stands in its row again."""
    with as_role("superuser") as session:
        session.execute("ALTER TABLE audit_personalkey DISABLE TRIGGER ALL")
        session.execute(
            "UPDATE audit_personalkey SET secret = %s, erasure = NULL WHERE person_id = %s",
            [secret, wanda.pk],
        )
        session.execute(
            "ALTER TABLE audit_personalkey ENABLE ALWAYS TRIGGER audit_personalkey_ends"
        )


def test_erasures_are_applied_again_after_a_restore(wanda, ada, as_role):
    secret = bytes(PersonalKey.objects.get().secret)
    first = erased(wanda, ada)
    brought_back(wanda, as_role, secret)
    assert User.objects.get(pk=wanda.pk).email_shown == ADDRESS
    output = StringIO()
    call_command("erase_personal", "--reapply", "--reason", "restored", stdout=output)
    assert "1 had come back" in output.getvalue()
    assert User.objects.get(pk=wanda.pk).email_shown == "erased"
    again = Record.objects.filter(kind=erasures.KIND).latest("id")
    assert ledger.content(again)["parents"] == [bytes(first.leaf).hex()]
    call_command("erase_personal", "--reapply", "--reason", "restored", stdout=output)
    assert "0 had come back" in output.getvalue()


def test_erasures_are_read_from_a_bundle_only_when_it_verifies(tmp_path):
    (tmp_path / "records.jsonl").write_text("{}\n")
    with pytest.raises(CommandError, match="does not verify"):
        erase_personal.told_in(tmp_path)


def test_the_command_asks_for_both_components_and_erases(wanda, ada, monkeypatch):
    from django.utils import timezone

    answers = iter([PASSWORD, ada.code(timezone.now())])
    monkeypatch.setattr(erase_personal.getpass, "getpass", lambda _prompt: next(answers))
    output = StringIO()
    call_command("erase_personal", "wanda", "--as", "ada", "--reason", WHY, stdout=output)
    assert "is erased" in output.getvalue()
    assert User.objects.get(pk=wanda.pk).email_shown == "erased"


def test_the_command_records_a_refusal(wanda, ada, monkeypatch):
    monkeypatch.setattr(erase_personal.getpass, "getpass", lambda _prompt: "wrong")
    with pytest.raises(CommandError, match="not accepted"):
        call_command("erase_personal", "wanda", "--as", "ada", "--reason", WHY, stdout=StringIO())
    assert User.objects.get(pk=wanda.pk).email_shown == ADDRESS


def test_a_person_with_power_over_the_page_signs_and_erases(wanda, ada):
    from django.utils import timezone

    from tests.web.serving import sign_in

    client = sign_in(Client(), ada.user)
    page = client.get(f"/people/{wanda.pk}/")
    body = page.content.decode()
    assert ADDRESS in body and "Erase personal text" in body
    given = {
        "view": signatures.view_digest(erasures.view_of(wanda)),
        "reason": WHY,
        "password": PASSWORD,
        "code": "000000",
    }
    refused = client.post(f"/people/{wanda.pk}/erase/", given)
    assert refused.status_code == 403
    assert "data-open-now" in refused.content.decode()
    given["code"] = ada.code(timezone.now())
    done = client.post(f"/people/{wanda.pk}/erase/", given)
    assert done.status_code == 302
    body = client.get(f"/people/{wanda.pk}/").content.decode()
    assert "erased" in body and ADDRESS not in body and "Erase personal text" not in body


def test_others_see_no_button_and_their_request_is_refused(wanda, ada):
    quinn = enter("quinn", Role.QA_APPROVER)
    request = RequestFactory().post("/", {})
    request.user = quinn.user
    with pytest.raises(NotEntitled):
        erasure_views.erase(request, wanda.pk)


def test_the_installations_key_lies_with_the_keys_and_is_private():
    path = settings.PERSONAL_KEY_FILE
    assert path.parent.name == "keys"
    assert path.stat().st_mode & 0o077 == 0

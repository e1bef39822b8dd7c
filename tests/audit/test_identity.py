"""People, roles and credentials: each change an act with its record, by somebody who may."""

import subprocess
import sys
from datetime import timedelta

import pytest
from django.contrib.auth import hashers
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from audit import credentials, identity, keys, ledger, lockout
from audit.actors import os_user_actor
from audit.credentials import PasswordRefused
from audit.identity import IdentityRefused
from audit.lockout import Attempt
from audit.models import Credential, Record, Role, RoleGrant, User
from audit.refusals import NotEntitled
from tests.audit.people import NOON, PASSWORD, enter

WHY = "needed for the work"


@pytest.fixture
def sam(ledger_db):
    return enter("sam", Role.SYSTEM_ADMINISTRATOR).user


@pytest.fixture
def quinn(ledger_db):
    return enter("quinn", Role.QA_REVIEWER)


@pytest.mark.requirement("URS-SIG-010")
def test_each_act_on_a_person_leaves_one_record_by_its_administrator(sam):
    user = identity.create_person("vera", "Vera Vogel", by=sam, reason=WHY)
    identity.grant_role(user, Role.AUDITOR, by=sam, reason=WHY)
    identity.revoke_role(user, Role.AUDITOR, by=sam, reason=WHY)
    identity.change_person(user, printed_name="Vera Vogt", by=sam, reason=WHY)
    identity.change_person(user, is_active=False, by=sam, reason=WHY)
    identity.change_person(user, is_active=True, by=sam, reason=WHY)
    told = list(Record.objects.filter(stream="people").order_by("-id")[:6])
    assert [record.kind for record in reversed(told)] == [
        "audit.person.created",
        "audit.role.granted",
        "audit.role.revoked",
        "audit.person.changed",
        "audit.person.deactivated",
        "audit.person.reactivated",
    ]
    for record in told:
        content = ledger.content(record)
        assert content["actor"] == {"id": str(sam.pk), "kind": "person", "name": "Sam Example"}
        assert content["reason"] == WHY
        assert len(content["changes"]) == 1


@pytest.mark.requirement("URS-SIG-010")
def test_a_role_granted_again_is_the_same_row(sam, quinn):
    identity.revoke_role(quinn.user, Role.QA_REVIEWER, by=sam, reason=WHY)
    identity.grant_role(quinn.user, Role.QA_REVIEWER, by=sam, reason=WHY)
    assert RoleGrant.objects.filter(user=quinn.user).count() == 1
    assert quinn.user.roles() == {Role.QA_REVIEWER}


@pytest.mark.requirement("URS-SIG-011")
def test_nobody_grants_or_revokes_a_role_of_their_own(sam):
    with pytest.raises(NotEntitled, match="themselves"):
        identity.grant_role(sam, Role.QA_APPROVER, by=sam, reason=WHY)
    with pytest.raises(NotEntitled, match="themselves"):
        identity.revoke_role(sam, Role.SYSTEM_ADMINISTRATOR, by=sam, reason=WHY)


@pytest.mark.requirement("URS-SIG-011")
@pytest.mark.parametrize("role", [role for role in Role if role != Role.SYSTEM_ADMINISTRATOR])
def test_only_a_system_administrator_administers_people(ledger_db, role):
    someone, other = enter("someone", role), enter("other")
    with pytest.raises(NotEntitled, match="administer people"):
        identity.grant_role(other.user, Role.AUDITOR, by=someone.user, reason=WHY)
    with pytest.raises(NotEntitled, match="administer people"):
        identity.create_person("third", "Third Person", by=someone.user, reason=WHY)


@pytest.mark.requirement("URS-SIG-011")
def test_a_system_administrator_holds_no_role_over_content(sam, quinn):
    second = enter("second", Role.SYSTEM_ADMINISTRATOR)
    with pytest.raises(IdentityRefused, match="no other role"):
        identity.grant_role(second.user, Role.QA_REVIEWER, by=sam, reason=WHY)
    with pytest.raises(IdentityRefused, match="no other role"):
        identity.grant_role(quinn.user, Role.SYSTEM_ADMINISTRATOR, by=sam, reason=WHY)


def test_the_last_system_administrator_stays(sam):
    by = os_user_actor()
    with pytest.raises(IdentityRefused, match="last system administrator"):
        identity.revoke_role(sam, Role.SYSTEM_ADMINISTRATOR, by=by, reason=WHY)
    with pytest.raises(IdentityRefused, match="last system administrator"):
        identity.change_person(sam, is_active=False, by=by, reason=WHY)


@pytest.mark.requirement("URS-SIG-010")
def test_a_name_once_given_is_never_given_again(sam, quinn):
    identity.change_person(quinn.user, is_active=False, by=sam, reason=WHY)
    with pytest.raises(IdentityRefused, match="before"):
        identity.create_person("quinn", "Quinn Newcomer", by=sam, reason=WHY)


@pytest.mark.parametrize("name", ["Quinn", "quínn", "q", "quinn ", "quinn\u200b", "ｑuinn", "1a"])
def test_names_that_could_be_taken_for_another_are_refused(sam, name):
    with pytest.raises(IdentityRefused, match="no user name"):
        identity.create_person(name, "Some Body", by=sam, reason=WHY)


def test_a_person_without_printed_name_or_an_act_without_reason_is_refused(sam):
    with pytest.raises(IdentityRefused, match="printed name"):
        identity.create_person("vera", " ", by=sam, reason=WHY)
    with pytest.raises(IdentityRefused, match="reason"):
        identity.create_person("vera", "Vera Vogel", by=sam, reason=" ")


@pytest.mark.requirement("URS-SIG-010")
def test_people_and_roles_are_told_as_of_any_moment(sam):
    before = timezone.now()
    vera = identity.create_person("vera", "Vera Vogel", by=sam, reason=WHY)
    identity.grant_role(vera, Role.AUDITOR, by=sam, reason=WHY)
    with_role = timezone.now()
    identity.revoke_role(vera, Role.AUDITOR, by=sam, reason=WHY)
    identity.change_person(vera, is_active=False, by=sam, reason=WHY)
    assert [person.username for person in identity.people_as_of(before)] == ["sam"]
    assert identity.roles_as_of(vera, with_role) == {Role.AUDITOR}
    assert identity.roles_as_of(vera, timezone.now()) == set()
    (then,) = [p for p in identity.people_as_of(timezone.now()) if p.username == "vera"]
    assert not then.is_active
    assert len(identity.history_of(vera)) == 4


@pytest.mark.requirement("URS-SIG-012")
@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short words", "too short"),
        ("1qaz2wsx3edc", "common"),
        ("qwertyuiopasdfghjkl"[:12] * 20, "longer than"),
        ("quinn.example", "similar"),
    ],
)
def test_weak_passwords_are_refused(quinn, password, why):
    with pytest.raises(PasswordRefused, match=why):
        identity.set_password(quinn.user, password, by=quinn.user, reason=WHY)


@pytest.mark.requirement("URS-SIG-012")
def test_an_administrator_cannot_set_what_another_person_signs_with(sam, quinn):
    with pytest.raises(NotEntitled, match="owner alone"):
        identity.set_password(quinn.user, "a password of sam's", by=sam, reason=WHY)
    with pytest.raises(NotEntitled, match="owner alone"):
        identity.enrol_code(quinn.user, by=sam, reason=WHY)


@pytest.mark.requirement("URS-SIG-010")
def test_a_new_password_replaces_the_old_one_in_one_record(quinn):
    bound = quinn.user.get_session_auth_hash()
    identity.set_password(quinn.user, "another harbour at dawn", by=quinn.user, reason=WHY)
    old, new = Credential.objects.filter(user=quinn.user, kind="password").order_by("id")
    assert (old.is_active, new.is_active) == (False, True)
    assert old.record_id == new.record_id
    assert quinn.user.get_session_auth_hash() != bound
    assert credentials.verify_password("another harbour at dawn", new.secret)[0]
    assert not credentials.verify_password(PASSWORD, new.secret)[0]


@pytest.mark.requirement("URS-SIG-010")
def test_a_new_code_secret_ends_the_binding_of_sessions_too(quinn):
    bound = quinn.user.get_session_auth_hash()
    identity.enrol_code(quinn.user, by=quinn.user, reason="telephone lost")
    assert quinn.user.get_session_auth_hash() != bound


@pytest.mark.requirement("URS-SIG-010")
def test_an_outdated_hash_is_made_anew_at_the_next_proof_as_an_act_of_its_own(quinn, monkeypatch):
    stored = Credential.objects.get(user=quinn.user, kind="password")
    monkeypatch.setattr(hashers.Argon2PasswordHasher, "time_cost", 3)
    quinn.prove()
    fresh = Credential.objects.get(user=quinn.user, kind="password")
    assert fresh.pk == stored.pk
    assert fresh.secret != stored.secret
    assert fresh.record.kind == "audit.credential.upgraded"
    assert "t=3" in fresh.secret


@pytest.mark.requirement("URS-SIG-012")
def test_an_encrypted_secret_opens_for_its_own_row_alone(quinn):
    held = Credential.objects.get(user=quinn.user, kind="code")
    assert credentials.unseal(held) == quinn.secret
    moved = Credential(user=enter("other").user, kind="code", secret=held.secret)
    with pytest.raises(keys.KeyRefused, match="does not open"):
        credentials.unseal(moved)


@pytest.mark.requirement("URS-SIG-012")
def test_a_credential_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "credential.key"
    with pytest.raises(keys.KeyRefused, match="missing"):
        keys.secret_key(path)
    path.write_text("AAAA")
    path.chmod(0o640)
    with pytest.raises(keys.KeyRefused, match="readable by others"):
        keys.secret_key(path)
    path.chmod(0o600)
    with pytest.raises(keys.KeyRefused, match="32 bytes"):
        keys.secret_key(path)


@pytest.mark.requirement("URS-SIG-010")
@pytest.mark.parametrize(
    "change",
    [
        lambda: User.objects.update(is_active=False),
        lambda: User.objects.update(printed_name="Somebody Else"),
        lambda: RoleGrant.objects.update(role=Role.QA_APPROVER),
        lambda: RoleGrant.objects.all().delete(),
    ],
)
def test_the_database_refuses_a_change_of_people_without_its_record(quinn, change):
    with pytest.raises(DatabaseError), transaction.atomic():
        change()


def test_a_replaced_credential_is_never_used_again(quinn):
    old = Credential.objects.get(user=quinn.user, kind="password")
    identity.set_password(quinn.user, "another harbour at dawn", by=quinn.user, reason=WHY)
    old.refresh_from_db()
    before = old.state_fields()
    old.is_active = True
    with pytest.raises(IntegrityError, match="stays so"), transaction.atomic():
        told = ledger.append(
            stream="people", kind="x.y", subject=old, old=before, new=old.state_fields()
        )
        old.save(record=told)


def test_waits_double_up_to_five_minutes_for_one_address_and_one_minute_for_all():
    def until(count: int, here: str = "a"):
        attempts = [Attempt(NOON, "a", accepted=False)] * count
        ends = lockout.locked_until(attempts, address=here)
        return ends and (ends - NOON).total_seconds()

    assert [until(n) for n in (4, 5, 6, 7, 8, 9, 25)] == [None, 30, 60, 120, 240, 300, 300]
    assert [until(n, "b") for n in (5, 19, 20, 25)] == [None, None, 30, 60]


def test_an_accepted_attempt_begins_the_count_anew():
    failed, good = Attempt(NOON, "a", accepted=False), Attempt(NOON, "a", accepted=True)
    assert lockout.locked_until([failed] * 4 + [good] + [failed] * 9, address="a") is None
    assert lockout.locked_until([], address="a") is None


def test_the_present_code_is_shown_with_the_time_it_has_left(quinn):
    code, left = credentials.code_now(quinn.secret, NOON)
    assert code == quinn.code(NOON + timedelta(seconds=19))
    assert left == timedelta(seconds=20)
    assert "quinn" in credentials.provisioning_uri(quinn.user, quinn.secret)


@pytest.mark.requirement("URS-SIG-012")
def test_outside_the_tests_a_guess_at_a_password_costs_memory():
    command = (
        "from django.contrib.auth.hashers import Argon2PasswordHasher as hasher;"
        "print(hasher.memory_cost, hasher.time_cost)"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, check=True)
    memory_KiB, passes = map(int, done.stdout.split())
    assert memory_KiB >= 19 * 1024  # OWASP's least for two passes
    assert passes >= 2


def test_nothing_is_left_of_an_act_whose_record_fails(ledger_db):
    with connection.cursor() as cursor, pytest.raises(DatabaseError), transaction.atomic():
        identity.create_person("vera", "Vera Vogel", by=os_user_actor(), reason=WHY)
        cursor.execute("SELECT 1/0")
    assert not User.objects.filter(username="vera").exists()

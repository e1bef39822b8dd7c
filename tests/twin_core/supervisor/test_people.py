"""The demonstration's people: entered once, their secrets in one private file."""

import stat
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit import signatures
from audit.models import Record, Role, User
from tests.audit.people import enter

pytestmark = [pytest.mark.usefixtures("ledger_db"), pytest.mark.requirement("URS-SIG-012")]


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def printed(command: str, *arguments: str) -> str:
    output = StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue()


def test_they_are_entered_once_and_sign_with_what_is_printed(folder):
    first = printed("make_demo_people")
    count = Record.objects.count()
    assert printed("make_demo_people") == first
    assert Record.objects.count() == count
    line = next(line for line in first.splitlines() if line.startswith("quinn"))
    code = printed("code", "quinn").split()[0]
    quinn = User.objects.get(username="quinn")
    signatures.prove(quinn, password=line.split()[1], code=code)
    assert quinn.roles() == {Role.QA_REVIEWER}


def test_their_secrets_lie_in_a_private_file_and_not_in_the_ledger(folder):
    from twin_core.supervisor import people

    everybody = people.make(folder)
    assert stat.S_IMODE((folder / people.FILE).stat().st_mode) == 0o600
    told = " ".join(Record.objects.values_list("payload", flat=True))
    for held in everybody.values():
        assert held.password not in told
        assert held.code_secret not in told
    assert len({held.password for held in everybody.values()}) == len(people.PEOPLE)


def test_a_start_that_broke_off_is_completed(folder, monkeypatch):
    from twin_core.supervisor import people

    entered = people.enter

    def break_off(person, held):
        if person.username == "amara":
            raise KeyboardInterrupt
        return entered(person, held)

    monkeypatch.setattr(people, "enter", break_off)
    with pytest.raises(KeyboardInterrupt):
        people.make(folder)
    kept = people.load(folder)
    monkeypatch.setattr(people, "enter", entered)
    assert people.make(folder) == kept
    assert User.objects.count() == len(people.PEOPLE)


def test_an_installation_with_people_of_its_own_gets_none_of_them(folder):
    enter("vera")
    with pytest.raises(CommandError, match="people of its own"):
        printed("make_demo_people")
    assert User.objects.count() == 1


def test_a_lost_file_is_said_and_not_replaced_by_new_secrets(folder):
    printed("make_demo_people")
    (folder / "demo-people.json").unlink()
    with pytest.raises(CommandError, match="restore the file"):
        printed("make_demo_people")


def test_codes_are_printed_for_the_demonstration_alone(folder):
    with pytest.raises(CommandError, match="demonstration's people alone"):
        printed("code", "quinn")
    printed("make_demo_people")
    with pytest.raises(CommandError, match="none of agnes, amara"):
        printed("code", "nobody")


def test_a_site_enters_its_first_administrator_on_the_machine(ledger_db, monkeypatch):
    typed = iter(["quiet harbour at dusk"] * 2 + ["a", "b"] + ["short"] * 2)
    monkeypatch.setattr("getpass.getpass", lambda _: next(typed))
    words = ["vera", "Vera Vogel", "--reason", "first start of the site"]
    address = printed("create_person", *words).splitlines()[-1]
    vera = User.objects.get(username="vera")
    assert vera.roles() == {Role.SYSTEM_ADMINISTRATOR}
    assert Record.objects.get(pk=vera.record_id).payload.count('"kind":"os_user"') == 1
    secret = address.partition("secret=")[2].partition("&")[0]
    code = signatures_code(secret)
    signatures.prove(vera, password="quiet harbour at dusk", code=code)
    with pytest.raises(CommandError, match="not the same"):
        printed("create_person", "otto", *words[1:])
    with pytest.raises(CommandError, match="too short"):
        printed("create_person", "otto", *words[1:])
    assert User.objects.count() == 1


def test_a_person_who_lost_their_telephone_is_enrolled_anew(ledger_db, monkeypatch):
    vera = enter("vera", Role.AUDITOR)
    monkeypatch.setattr("getpass.getpass", lambda _: "another harbour at dawn")
    printed("enrol_person", "vera", "--reason", "telephone lost")
    with pytest.raises(signatures.SignatureRefused):
        vera.prove(timezone.now())
    with pytest.raises(CommandError, match="enter the person first"):
        printed("enrol_person", "nobody", "--reason", "telephone lost")


def signatures_code(secret: str) -> str:
    from audit.credentials import code_now

    return code_now(secret, timezone.now())[0]

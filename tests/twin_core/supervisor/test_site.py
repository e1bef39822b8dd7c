"""The whole site as a person runs it: through manage.py, without a variable set."""

import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.services import fresh_folder
from twin_core.supervisor import envfile, installation, status
from twin_core.supervisor.account import Account, can_reach
from twin_core.supervisor.folder import DataFolder
from twin_core.supervisor.roster import CHECKOUT
from twin_core.supervisor.status import State

AS_ROOT = os.geteuid() == 0
PATIENCE = 120.0  # seconds after which a test gives up; nothing is measured by it
EVERYTHING = [
    *("postgres", "valkey", "sealer", "web", "watch"),
    *("relay", "worker", "connector", "gate", "tracking", "indexer"),
]
ROLES_OF = {
    "sealer": {"twin_sealer"},
    "web": {"twin_application"},
    "watch": {"twin_application"},
    "relay": {"twin_application"},
    "worker": {"twin_application"},
    "connector": {"twin_application"},
    "gate": {"twin_gate"},
    "indexer": {"twin_indexer"},
    "tracking": {"twin_application", "twin_mlflow"},
}


def eventually(condition) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def python_for(account: Account | None) -> str:
    """Return a Python that the account can run; as it is often not the one that runs the suite."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        path = Path(candidate).resolve()
        if path.exists() and (account is None or can_reach(account, path)):
            return candidate
    return pytest.skip(f"{account.name if account else 'nobody'} can reach no {version} here")


class Person:
    """Somebody with an empty environment at a shell, as ourselves or as another user."""

    def __init__(self, folder: DataFolder, account: Account | None = None) -> None:
        self.folder = folder
        self.account = account
        if account is not None:
            if not can_reach(account, CHECKOUT / "manage.py"):
                pytest.skip(f"{account.name} cannot reach the checkout")
            account.own(folder.path)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": ":".join(path for path in sys.path if "site-packages" in path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": str(folder.path / "numba"),
        }

    def command(self, *arguments: str) -> list[str]:
        python = python_for(self.account)
        return [python, str(CHECKOUT / "manage.py"), *arguments, "--data", str(self.folder.path)]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **(self.account.popen_arguments() if self.account else {}),
        )

    def supervise(self) -> "subprocess.Popen[str]":
        started = subprocess.Popen(
            self.command("supervise"),
            env=self.environment,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **(self.account.popen_arguments() if self.account else {}),
        )
        assert started.stdout is not None
        said = []
        for line in started.stdout:
            said.append(line)
            if line.startswith("ready: "):
                return started
        pytest.fail("".join(said))

    def pids(self) -> dict[str, int | None]:
        return {p.name: p.pid for p in status.read(self.folder).processes}

    def all_ready(self) -> bool:
        report = status.read(self.folder)
        return report.running and {p.state for p in report.processes} == {State.READY}


def stop(supervising: "subprocess.Popen[str]", number: int = signal.SIGINT) -> int:
    supervising.send_signal(number)
    return supervising.wait(timeout=PATIENCE)


@pytest.fixture(params=["as ourselves", "as an ordinary user"])
def person(request) -> Person:
    folder = fresh_folder()
    if request.param == "as ourselves":
        return Person(folder)
    if not AS_ROOT:
        pytest.skip("we are an ordinary user already")
    entry = pwd.getpwnam("daemon")
    return Person(folder, Account(entry.pw_name, entry.pw_uid, entry.pw_gid, drop=True))


@pytest.mark.requirement("URS-SVC-001")
@pytest.mark.requirement("URS-SVC-006")
@pytest.mark.requirement("URS-SVC-007")
@pytest.mark.fault("STO-06")
def test_a_site_starts_survives_kills_stops_and_goes_on(person):
    first = person.supervise()
    try:
        address = person.folder.address.read_text().strip()
        before = person.pids()
        assert list(before) == EVERYTHING

        refused = person.run("supervise")
        assert refused.returncode == 1
        assert f"in use by a supervisor (process {first.pid})" in refused.stderr

        for name in ("postgres", "sealer", "valkey", "web"):
            os.kill(person.pids()[name], signal.SIGKILL)
            eventually(lambda name=name: person.pids()[name] not in {before[name], None})
            eventually(person.all_ready)
        variables = envfile.read(person.folder)
        assert variables["TWIN_PUBLIC_URL"] == address
    finally:
        assert stop(first) == 0
    assert {p.state for p in status.read(person.folder).processes} == {State.STOPPED}
    assert not status.read(person.folder).running

    second = person.supervise()
    try:
        again = envfile.read(person.folder)
        assert again["TWIN_LEDGER_ORIGIN"] == variables["TWIN_LEDGER_ORIGIN"]
        assert again["TWIN_DATABASE_URL"] == variables["TWIN_DATABASE_URL"]
        assert person.folder.address.read_text().strip() == address
        second.kill()
        second.wait()
        eventually(lambda: status.survivors(person.folder) == [])
    finally:
        second.kill()

    third = person.supervise()  # what the killed one left does not stand in the way
    assert stop(third, signal.SIGTERM) == 0


@pytest.mark.requirement("URS-SVC-002")
def test_each_child_holds_the_address_of_its_own_role_alone():
    person = Person(fresh_folder())
    supervising = person.supervise()
    try:
        for name, roles in ROLES_OF.items():
            environment = Path(f"/proc/{person.pids()[name]}/environ").read_text().split("\0")
            addresses = [each for each in environment if "postgresql://" in each]
            assert {each.split(":")[1].strip("/") for each in addresses} == roles
            assert f"TWIN_PROCESS={name}" in environment
            assert f"TWIN_PUBLIC_URL={person.folder.address.read_text().strip()}" in environment
        files = [path for path in person.folder.path.rglob("*") if path.is_file()]
        ours = [path for path in files if person.folder.services not in path.parents]
        public = {path for path in ours if path.name.endswith(".cert.pem")}
        assert {stat.S_IMODE(path.stat().st_mode) for path in set(ours) - public} == {0o600}
        assert any(path.name == "gate.key.pem" for path in ours)
    finally:
        assert stop(supervising) == 0


@pytest.mark.requirement("URS-SVC-009")
def test_a_command_without_variables_starts_its_services_and_stops_them(person):
    done = person.run("verify_ledger", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["ok"] is True
    server = envfile.read(person.folder)["TWIN_DATABASE_URL"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server)
    if person.account is None:
        assert "sealing" in (person.folder.logs / "sealer.log").read_text()


@pytest.mark.requirement("URS-SVC-009")
def test_commands_at_once_share_the_services_and_none_stops_them_under_another():
    person = Person(fresh_folder())
    assert person.run("verify_ledger", "--json").returncode == 0
    both = [
        subprocess.Popen(
            person.command("verify_ledger", "--json"),
            env=person.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in both:
        said, complaint = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, complaint
        assert json.loads(said.splitlines()[-1])["ok"] is True


@pytest.mark.requirement("URS-SVC-009")
@pytest.mark.parametrize(
    "arguments", [["help"], ["makemigrations", "--check"], ["demo_check", "-h"]]
)
def test_a_command_that_needs_no_service_starts_none(arguments):
    person = Person(fresh_folder())
    assert person.run(*arguments).returncode == 0
    assert list(person.folder.path.iterdir()) == []


@pytest.mark.requirement("URS-SVC-009")
def test_a_command_signs_in_as_the_role_meant_for_it():
    from twin_core.config.processes import sign_in_as

    urls = {"TWIN_DATABASE_URL": "a", "TWIN_SEALER_DATABASE_URL": "s"}
    for command, address, process in (
        ("run_sealer", "s", "sealer"),
        ("calibrate", "a", "calibrate"),
        ("run_gate", "a", "gate"),  # its parent has given it one address alone
    ):
        environment = dict(urls)
        sign_in_as(command, environment)
        assert environment["TWIN_DATABASE_URL"] == address
        assert environment["TWIN_PROCESS"] == process


@pytest.mark.requirement("URS-SVC-003")
def test_init_database_without_an_administrators_address_says_what_to_do():
    person = Person(fresh_folder())
    person.environment["TWIN_DATABASE_URL"] = "postgresql://twin_application:x@127.0.0.1:1/twin"
    person.environment["TWIN_SECRET_KEY"] = "k" * 50
    done = person.run("init_database")
    assert done.returncode == 1
    assert "TWIN_DATABASE_ADMIN_URL is not set" in done.stderr


@pytest.mark.requirement("URS-SVC-003")
def test_init_database_makes_a_database_that_does_not_exist_yet(services):
    name = "twin_made_by_hand"
    person = Person(fresh_folder())
    person.environment |= services.environment(name)
    person.environment["TWIN_DATABASE_ADMIN_URL"] = services.admin_url()
    try:
        done = person.run("init_database", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        with services.connect("superuser", name) as session:
            (owner,) = session.execute(
                "SELECT tableowner FROM pg_tables WHERE tablename = 'audit_record'"
            ).fetchone()
        assert owner == "twin_owner"
    finally:
        services.drop(name)


@pytest.mark.requirement("URS-SVC-001")
def test_a_taken_port_is_passed_over_and_a_wanted_one_is_refused():
    folder = fresh_folder()
    folder.make()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        installation.keep_address(folder, port)
        assert installation.choose_port(folder, None) != port
        with pytest.raises(installation.InstallationFailed, match=f"port {port} is taken"):
            installation.choose_port(folder, port)
    assert installation.choose_port(folder, None) == port


@pytest.mark.requirement("URS-SVC-001")
def test_demo_check_says_honestly_what_there_is():
    person = Person(fresh_folder())
    person.environment["TWIN_DEMO_CHECK_S"] = "1"  # too short for the loop: the zeros are told
    done = person.run("demo_check")
    line = json.loads(done.stdout.splitlines()[-1])
    assert list(line) == [
        *("records", "sealed", "forecasts", "recommendations", "signatures"),
        *("writes_confirmed", "ledger_ok", "export_ok", "seconds"),
    ]
    assert 0 < line["records"] <= line["sealed"]  # others write on while it counts
    assert line["ledger_ok"] is True
    assert line["export_ok"] is True
    assert line["writes_confirmed"] == 0
    assert done.returncode == 1
    assert person.folder.env.exists()

"""The embedded servers: who gets in, what survives a crash."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from kombu import Connection

from tests.services import fresh_folder
from twin_core.config.queue import celery_address
from twin_core.supervisor import postgres, valkey
from twin_core.supervisor.services import ServiceFailed, Services, start, wait_ready
from twin_core.supervisor.spawning import end, working_in

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def own() -> Services:
    """Services of this test alone, not started."""
    return Services(fresh_folder(), {})


@pytest.fixture
def embedded(services) -> Services:
    """The session's services, when they are the embedded ones."""
    if services.services.postgres is None:
        pytest.skip("the suite runs on a server of yours")
    return services.services


def begin(service, folder):
    process = start(service, folder)
    wait_ready(service, process, folder)
    return process


@pytest.mark.requirement("URS-SVC-004")
@pytest.mark.parametrize(
    "credentials", ["twin_application:wrong", "twin_application", "twin_owner:x"]
)
def test_a_wrong_password_or_none_is_refused(embedded, credentials):
    sockets = embedded.postgres.sockets
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://{credentials}@/postgres?host={sockets}")


@pytest.mark.requirement("URS-SVC-004")
def test_no_line_of_the_access_file_trusts(embedded, as_role):
    rules = as_role("superuser").execute("SELECT auth_method, type FROM pg_hba_file_rules")
    local = [("peer", "local"), ("peer", "local"), ("scram-sha-256", "local")]
    assert rules.fetchall() == local  # the administrator's, for all and for backups, and everyone's


@pytest.mark.requirement("URS-SVC-004")
def test_passwords_are_stored_as_scram_verifiers_and_never_logged(embedded, as_role):
    stored = as_role("superuser").execute(
        "SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'twin\\_%' AND rolcanlogin"
    )
    assert {row[0][:14] for row in stored} == {"SCRAM-SHA-256$"}
    log = (embedded.folder.logs / "postgres.log").read_text()
    assert embedded.secrets.application not in log


@pytest.mark.requirement("URS-SVC-004")
@pytest.mark.skipif(not AS_ROOT, reason="only root can become another account")
def test_the_superuser_signs_in_from_the_supervisors_account_alone(embedded):
    server = embedded.postgres
    done = subprocess.run(
        [
            str(server.binaries() / "psql"),
            server.url(database="postgres"),
            "--command=SELECT 1",
        ],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        **server.account.popen_arguments(),
    )
    assert done.returncode == 2
    assert "Peer authentication failed" in done.stderr


@pytest.mark.requirement("URS-SVC-004")
def test_neither_server_listens_on_the_network(embedded):
    both = embedded
    processes = [
        *working_in(both.postgres.cluster.resolve(), ["postgres"]),
        *working_in(both.valkey.data.resolve(), ["valkey-server"]),
    ]
    assert {process.name() for process in processes} == {"postgres", "valkey-server"}
    assert [
        c for p in processes for c in p.net_connections(kind="inet") if c.status == "LISTEN"
    ] == []


@pytest.mark.requirement("URS-SVC-008")
@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user drops to nobody")
def test_as_root_the_servers_run_without_privileges(embedded):
    both = embedded
    for folder, name in ((both.postgres.cluster, "postgres"), (both.valkey.data, "valkey-server")):
        process = working_in(folder.resolve(), [name])[0]
        assert set(process.uids()) == {both.folder.account.uid}
        assert both.folder.account.uid != 0
        groups = Path(f"/proc/{process.pid}/status").read_text().split("Groups:")[1].split("\n")[0]
        assert groups.split() == []


def test_the_cluster_keeps_checksums_and_utf8(embedded, as_role):
    ask = as_role("superuser")
    for name, value in (
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("max_connections", "60"),
    ):
        assert ask.execute(f"SHOW {name}").fetchone() == (value,)


@pytest.mark.requirement("URS-SVC-007")
def test_a_stale_lock_file_with_a_strangers_number_does_not_stop_the_start(own):
    server = own.postgres
    end(begin(server, own.folder), server.stop_signals, patience=20)
    (server.cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{server.cluster}\n")
    process = begin(server, own.folder)
    end(process, server.stop_signals, patience=20)
    assert process.returncode == 0


@pytest.mark.requirement("URS-SVC-007")
def test_a_second_server_is_not_started_on_a_living_cluster(own, monkeypatch):
    server = own.postgres
    process = begin(server, own.folder)
    monkeypatch.setattr("twin_core.supervisor.services.LEFTOVERS_END_WITHIN", 0.2)
    try:
        with pytest.raises(ServiceFailed, match=str(process.pid)):
            start(server, own.folder)
    finally:
        end(process, server.stop_signals, patience=20)


@pytest.mark.requirement("URS-SVC-006")
@pytest.mark.fault("STO-06")
def test_postgresql_starts_again_only_when_the_killed_servers_backends_have_ended(own):
    server = own.postgres
    process = begin(server, own.folder)
    with psycopg.connect(own.admin_url(), autocommit=True) as session:
        session.execute("CREATE TABLE kept (x int)")
        session.execute("INSERT INTO kept VALUES (7)")
        backend = psutil.Process(session.info.backend_pid)
        backend.suspend()  # it cannot notice that its server is gone
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert backend.pid in {left.pid for left in server.leftovers()}
        backend.resume()
        again = begin(server, own.folder)
        assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE
    with psycopg.connect(own.admin_url()) as session:
        assert session.execute("SELECT x FROM kept").fetchall() == [(7,)]
    end(again, server.stop_signals, patience=20)


def test_a_half_made_cluster_is_made_anew(own):
    (own.folder.services / "postgres.new" / "base").mkdir(parents=True)
    process = begin(own.postgres, own.folder)
    end(process, own.postgres.stop_signals, patience=20)
    assert not (own.folder.services / "postgres.new").exists()


@pytest.mark.requirement("URS-SVC-001")
def test_a_service_that_ends_at_once_is_told_with_its_log(own, monkeypatch):
    monkeypatch.setattr(postgres.Postgres, "argv", lambda self: ["/bin/false"])
    with pytest.raises(ServiceFailed, match=r"ended with status 1: see .*postgres\.log"):
        begin(own.postgres, own.folder)


@pytest.mark.requirement("URS-SVC-008")
def test_programs_are_copied_for_an_account_that_cannot_reach_them(own, monkeypatch, tmp_path):
    for module in (postgres, valkey):
        monkeypatch.setattr(module, "SYSTEM_HOME", tmp_path)
        monkeypatch.setattr(module, "can_run", lambda account, path: False)
    programs = own.postgres.binaries()
    assert programs.is_relative_to(tmp_path)
    said = subprocess.run([programs / "initdb", "--version"], capture_output=True, text=True)
    assert said.stdout.startswith("initdb (PostgreSQL) 18")
    assert own.postgres.binaries() == programs
    queue = own.valkey.argv()[0]
    assert queue.startswith(str(tmp_path))
    assert subprocess.run([queue, "--version"], check=False).returncode == 0


@pytest.mark.requirement("URS-SVC-004")
def test_the_queue_asks_for_its_password(services):
    socket = services.services.valkey.socket
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"unix://{socket}").ping()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis.from_url(f"unix://:wrong@{socket}").ping()


@pytest.mark.requirement("URS-SVC-004")
def test_a_queue_with_another_password_is_not_taken_for_ours(services):
    ours = services.services.valkey
    assert ours.ready()
    assert not valkey.Valkey(services.services.folder, "x" * 43).ready()


@pytest.mark.requirement("URS-SVC-006")
def test_what_the_queue_has_acknowledged_survives_a_kill(own):
    process = begin(own.valkey, own.folder)
    with redis.Redis.from_url(own.valkey.url()) as client:
        for number in range(100):
            client.rpush("queue", number)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = begin(own.valkey, own.folder)
    with redis.Redis.from_url(own.valkey.url()) as client:
        assert client.llen("queue") == 100
    end(again, own.valkey.stop_signals, patience=20)


def test_celery_reaches_the_queue_by_its_own_spelling(valkey):
    with Connection(celery_address(valkey)) as connection:
        queue = connection.SimpleQueue("probe")
        queue.put({"n": 1})
        message = queue.get(timeout=5)
        message.ack()
        assert message.payload == {"n": 1}


def test_an_address_of_another_queue_is_refused():
    with pytest.raises(Exception, match="TWIN_REDIS_URL must begin with"):
        celery_address("amqp://localhost")


def test_ordinary_redis_addresses_are_left_alone():
    assert celery_address("redis://:pw@h:6379/1") == "redis://:pw@h:6379/1"

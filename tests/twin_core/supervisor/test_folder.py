"""The data folder: private, held by one, reachable by the services' account."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.services import fresh_folder
from twin_core.supervisor import envfile, folder
from twin_core.supervisor.account import Account, can_reach
from twin_core.supervisor.folder import DataFolder, FolderInUse
from twin_core.supervisor.secrets import load_or_make
from twin_core.supervisor.services import Services

AS_ROOT = os.geteuid() == 0
STRANGER = Account("stranger", uid=54321, gid=54321, drop=True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_place() -> Path:
    """Return a new folder that every account may pass through."""
    place = fresh_folder().path
    place.chmod(0o711)
    return place


@pytest.fixture
def made() -> DataFolder:
    data = fresh_folder()
    Services(data, {}).write_env()
    return data


@pytest.mark.requirement("URS-SVC-005")
def test_every_file_with_a_secret_is_private(made):
    files = [path for path in made.path.rglob("*") if path.is_file()]
    assert {made.env, made.keys / "ledger.key", made.keys / "secrets.json"} <= set(files)
    assert {mode(path) for path in files} == {0o600}


@pytest.mark.requirement("URS-SVC-005")
def test_every_folder_is_private(made):
    folders = [path for path in made.path.rglob("*") if path.is_dir()]
    assert {mode(path) for path in folders} == {0o700}
    # As root the services' account passes through by its group; others still do not.
    assert mode(made.path) == (0o710 if AS_ROOT else 0o700)


@pytest.mark.requirement("URS-SVC-005")
def test_secrets_and_signing_key_stay_as_they_are(made):
    before = {path: path.read_bytes() for path in made.keys.iterdir()}
    again = Services(DataFolder(made.path), {})
    assert {path: path.read_bytes() for path in made.keys.iterdir()} == before
    assert again.secrets == load_or_make(made)


@pytest.mark.requirement("URS-SVC-005")
def test_two_installations_share_no_secret(made):
    ours = vars(load_or_make(made))
    theirs = vars(Services(fresh_folder(), {}).secrets)
    assert not set(ours.values()) & set(theirs.values())
    assert min(len(value) for name, value in ours.items() if name != "ledger_origin") >= 43


@pytest.mark.requirement("URS-SVC-005")
def test_secrets_are_not_shown_when_printed(made):
    shown = repr(load_or_make(made))
    assert load_or_make(made).application not in shown


def test_the_public_key_is_written_as_a_signed_note_expects(made):
    from audit.keys import public_keys, signing_key

    (public,) = public_keys(made.keys / "ledger.pub")
    assert public.name == load_or_make(made).ledger_origin
    assert signing_key(made.keys / "ledger.key").public_key().public_bytes_raw() == public.raw


def test_the_env_file_gives_back_what_was_written(made):
    values = {"TWIN_A": "plain", "TWIN_B": 'it\'s $HOME `x` "y" é', "TWIN_C": ""}
    envfile.write(made, values)
    assert envfile.read(made) == values


@pytest.mark.parametrize("line", ["rm -rf /", "export PATH=/x", "export TWIN_A=a b"])
def test_an_env_file_with_a_foreign_line_is_refused(made, line):
    made.env.write_text(line + "\n")
    with pytest.raises(envfile.EnvFileUnreadable, match="line 1"):
        envfile.read(made)


@pytest.mark.requirement("URS-SVC-002")
def test_the_env_file_never_holds_the_administrators_address(made):
    services = Services(made, {"TWIN_DATABASE_ADMIN_URL": "postgresql://postgres:x@/postgres"})
    services.write_env()
    assert "TWIN_DATABASE_ADMIN_URL" not in envfile.read(made)


@pytest.mark.requirement("URS-SVC-001")
def test_a_server_named_in_the_environment_is_used_instead(made):
    given = {"TWIN_DATABASE_URL": "postgresql://twin_application:x@db/twin"}
    services = Services(made, given)
    assert services.postgres is None
    assert services.valkey is not None
    assert services.variables()["TWIN_DATABASE_URL"] == given["TWIN_DATABASE_URL"]
    assert "TWIN_SEALER_DATABASE_URL" not in services.variables()


@pytest.mark.requirement("URS-SVC-001")
def test_a_sourced_env_file_still_means_the_embedded_servers(made):
    services = Services(made, envfile.read(made))
    assert services.postgres is not None
    assert services.valkey is not None


def test_an_address_of_the_sites_own_stays_and_one_of_ours_follows_the_port(made):
    given = {"TWIN_PUBLIC_URL": "https://twin.example"}
    assert Services(made, given).variables()["TWIN_PUBLIC_URL"] == "https://twin.example"
    folder.write_private(made.address, "http://localhost:4711\n")
    given = {"TWIN_PUBLIC_URL": "http://localhost:8000"}
    assert Services(made, given).variables()["TWIN_PUBLIC_URL"] == "http://localhost:4711"


@pytest.mark.requirement("URS-SVC-007")
def test_a_folder_is_held_by_one_and_the_other_is_told_by_whom(made):
    with (
        made.lock("a supervisor"),
        pytest.raises(FolderInUse, match=rf"a supervisor \(process {os.getpid()}\)"),
        DataFolder(made.path).lock("another"),
    ):
        pytest.fail("the folder was held twice")
    with made.lock("another"):
        pass


@pytest.mark.requirement("URS-SVC-001")
def test_a_long_path_gets_a_short_private_folder_for_sockets():
    data = DataFolder(open_place() / ("d" * 60) / ("e" * 60))
    data.make()
    run = data.make_run()
    try:
        assert len(str(run / folder.LONGEST_SOCKET_NAME)) < 100
        assert mode(run) == 0o700
    finally:
        data.remove_run()
    assert not run.exists()


@pytest.mark.requirement("URS-SVC-008")
@pytest.mark.skipif(not AS_ROOT, reason="only root can make another user's folder")
def test_a_socket_folder_of_another_user_is_refused():
    data = DataFolder(open_place() / ("d" * 100))
    data.make()
    data.run.mkdir()
    os.chown(data.run, STRANGER.uid, STRANGER.gid)
    try:
        with pytest.raises(FolderInUse, match="another user"):
            data.make_run()
    finally:
        data.run.rmdir()


@pytest.mark.requirement("URS-SVC-008")
def test_reach_is_decided_by_every_folder_above(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    here = Account("me", os.geteuid(), os.getegid(), drop=True)
    assert not can_reach(STRANGER, closed / "data")
    assert not can_reach(STRANGER, closed / "not" / "there" / "yet")
    assert can_reach(here, closed / "data")


@pytest.mark.requirement("URS-SVC-008")
@pytest.mark.skipif(not AS_ROOT, reason="an ordinary user drops to nobody")
def test_a_closed_folder_above_stays_closed_and_services_go_elsewhere():
    closed = fresh_folder().path
    data = DataFolder(closed / "data")
    note = data.make()
    try:
        assert note is not None
        assert str(data.services) in note
        assert mode(closed) == 0o700
        assert data.services.is_relative_to(folder.SYSTEM_HOME)
        assert mode(data.services) == 0o700
        assert data.services.stat().st_uid == data.account.uid
        assert DataFolder(data.path).services == data.services
        shutil.rmtree(data.path)  # a new data folder in the old place takes no old records up
        new = DataFolder(data.path)
        new.make()
        assert new.services != data.services
        shutil.rmtree(new.services)
    finally:
        shutil.rmtree(data.services)

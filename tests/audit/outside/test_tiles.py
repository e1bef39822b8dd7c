"""The tree over HTTP: rebuilt from it alone by a client that shares no code with the server."""

import hashlib
import json

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from audit import api, checkpoint
from audit.models import Record
from audit.outside.layout import Place, path_of, place_at
from tests.audit.people import enter
from tests.web.serving import sign_in

TOKEN = "a reader's token of this test alone"


def seal(ledger, *counts: int) -> None:
    for count in counts:
        with transaction.atomic():
            for number in range(count):
                api.append(stream="test", kind="test.fact.noted", data={"number": number})
        ledger.seal()


@pytest.fixture
def site(ledger, settings, tmp_path):
    """A ledger of some tiles whose hashes are public, and a file of readers' tokens."""
    settings.ROOT_URLCONF = "tests.audit.desk_urls"
    settings.WITNESSES_FILE = tmp_path / "none.txt"
    settings.TILES_ARE_PUBLIC = True
    settings.LEDGER_READERS_FILE = tmp_path / "readers.txt"
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    settings.LEDGER_READERS_FILE.write_text(f"inspector's laptop {digest}\n")
    return ledger


class Foreign:
    """A reader of tiles: it knows the layout and RFC 6962, and nothing of ours."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str) -> bytes:
        response = self.client.get(f"/ledger/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 200, (path, response.status_code)
        return response.content

    def level(self, name: str, width: int) -> list[bytes]:
        """Fetch every tile of a level with ``width`` items, full and partial."""
        parts = [self.get(f"tile/{name}/{n:03d}") for n in range(width // 256)]
        if width % 256:
            parts.append(self.get(f"tile/{name}/{width // 256:03d}.p/{width % 256}"))
        return parts

    def hashes(self, level: int, width: int) -> list[bytes]:
        joined = b"".join(self.level(str(level), width))
        return [joined[at : at + 32] for at in range(0, len(joined), 32)]

    def entries(self, size: int) -> list[bytes]:
        found = []
        for part in self.level("entries", size):
            while part:
                length = int.from_bytes(part[:2], "big")
                found.append(part[2 : 2 + length])
                part = part[2 + length :]
        return found


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root(leaves[:half]) + root(leaves[half:])).digest()


@pytest.mark.requirement("URS-AUD-035")
def test_the_tree_is_rebuilt_from_http_alone(site):
    seal(site, 300, 1, 256, 43)
    foreign = Foreign(Client())
    note = foreign.get("checkpoint").decode()
    head = checkpoint.verify(note, site.keys)
    assert head.tree_size == 600
    entries, leaves = foreign.entries(600), foreign.hashes(0, 600)
    assert [hashlib.sha256(b"\x00" + entry).digest() for entry in entries] == leaves
    assert root(leaves) == head.root
    assert foreign.hashes(1, 2) == [root(leaves[:256]), root(leaves[256:512])]
    assert json.loads(entries[599])["data"] == {"number": 42}
    assert len(foreign.get("tile/0/000.p/7")) == 7 * 32


@pytest.mark.requirement("URS-AUD-035")
@pytest.mark.parametrize(
    "path",
    [
        "tile/0/001",
        "tile/0/001.p/45",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/0",
        "tile/0/x000/000",
        "tile/0/1",
        "tile/00/000",
        "tile/64/000",
        "tile/1/000",
        "tile/1/000.p/2",
        "tile/2/000.p/1",
        "tile/entries/001",
        "tile/entries/001.p/45",
        "tile/entries/999",
        "tile/-1/000",
        "tile/0/000/x",
    ],
)
def test_what_the_published_tree_lacks_is_not_found(site, path):
    seal(site, 300)
    response = Client().get(f"/ledger/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 404


@pytest.mark.requirement("URS-AUD-035")
def test_records_that_are_not_published_yet_are_not_to_be_had(site, settings, tmp_path):
    key = checkpoint.cosigning_key("witness.example", site.key)
    settings.WITNESSES_FILE.write_text(f"https://witness.example {key}\n")
    seal(site, 3)
    for path in ("checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"):
        response = Client().get(f"/ledger/{path}", headers={"Authorization": f"Bearer {TOKEN}"})
        assert response.status_code == 404


@pytest.mark.requirement("URS-AUD-035")
def test_tiles_may_be_kept_for_ever_and_the_checkpoint_may_not(site):
    seal(site, 3)
    client, own = Client(), {"Authorization": f"Bearer {TOKEN}"}
    tile, entries = (client.get(f"/ledger/tile/{n}/000.p/3", headers=own) for n in ("0", "entries"))
    assert tile["Cache-Control"] == "public, max-age=31536000, immutable"
    assert entries["Cache-Control"] == "private, max-age=31536000, immutable"
    assert {tile["Content-Type"], entries["Content-Type"]} == {"application/octet-stream"}
    newest = client.get("/ledger/checkpoint")
    assert newest["Cache-Control"] == "no-cache"
    assert newest["Content-Type"] == "text/plain; charset=utf-8"
    assert client.post("/ledger/checkpoint").status_code == 405


@pytest.mark.requirement("URS-AUD-035")
@pytest.mark.parametrize("token", ["", "another", TOKEN + "x"])
def test_records_are_not_given_to_strangers(site, token, settings):
    seal(site, 3)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    response = Client().get("/ledger/tile/entries/000.p/3", headers=headers)
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert b"number" not in response.content
    settings.TILES_ARE_PUBLIC = False
    for path in ("checkpoint", "tile/0/000.p/3"):
        assert Client().get(f"/ledger/{path}", headers=headers).status_code == 401


@pytest.mark.requirement("URS-AUD-035")
def test_an_auditor_reads_records_and_others_are_refused_and_recorded(site, settings):
    seal(site, 3)
    settings.TILES_ARE_PUBLIC = False
    address = "/ledger/tile/entries/000.p/3"
    for role, hashes, records in (
        ("auditor", 200, 200),
        ("process_engineer", 200, 403),
        (None, 403, 403),
    ):
        person = enter(f"p.{role}".lower(), *([role] if role else []))
        client = sign_in(Client(), person.user)
        assert client.get("/ledger/tile/0/000.p/3").status_code == hashes
        assert client.get(address).status_code == records
    assert Record.objects.filter(kind__endswith=".refused").count() == 3


@pytest.mark.requirement("URS-AUD-035")
def test_each_reading_is_recorded_once_a_minute(site):
    seal(site, 300)
    client, own = Client(), {"Authorization": f"Bearer {TOKEN}"}
    for path in ("000", "001.p/44"):
        assert client.get(f"/ledger/tile/entries/{path}", headers=own).status_code == 200
    told = api.content(Record.objects.get(kind="audit.entries.read"))
    assert told["actor"]["name"] == "inspector's laptop"
    assert told["data"] == {"from": 0, "below": 256}


@pytest.mark.parametrize(
    ("index", "path"), [(0, "000"), (67, "067"), (1234067, "x001/x234/067"), (1000, "x001/000")]
)
def test_an_index_is_written_in_groups_of_three(index, path):
    assert path_of(index) == path
    assert place_at("3", path) == Place(3, index, 256)


@given(st.integers(0, 10**12), st.integers(1, 256), st.integers(0, 63))
def test_every_place_is_read_back_from_its_address(index, width, level):
    place = Place(level, index, width)
    assert place_at(str(level), place.path) == place

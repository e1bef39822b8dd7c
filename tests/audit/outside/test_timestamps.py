"""Tokens of a time authority: asked for, checked, kept, exported, checked again years later."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from rfc3161_client import TimestampRequestBuilder

from audit import api, checkpoint, exports, verifier
from audit.models import Checkpoint, Record, Token
from audit.outside import timestamps
from audit.outside.timestamps import Authority, Stamper, StampRefused
from tests.audit.authority import TestAuthority

BODY = "ledger.example\n1\n"


@pytest.fixture(scope="module")
def authority() -> TestAuthority:
    return TestAuthority()


class Server:
    """The authority over HTTP; ``answer`` may be replaced."""

    def __init__(self, authority: TestAuthority) -> None:
        self.answer, self.status, self.asked = authority.answer, 200, 0

    def __enter__(self) -> "Server":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked += 1
                request = self.rfile.read(int(self.headers["Content-Length"]))
                body = outer.answer(request)
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/tsr"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(authority, settings, tmp_path) -> Iterator[Server]:
    """The authority as this site's own."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(authority.roots)
    with Server(authority) as running:
        settings.TIMESTAMP_URL, settings.TIMESTAMP_ROOTS = running.url, roots
        settings.WITNESSES_FILE = tmp_path / "none.txt"
        yield running


def seal(ledger) -> None:
    with transaction.atomic():
        api.append(stream="test", kind="test.fact.noted")
    ledger.seal()


def sent(authority, body: str = BODY, **options) -> bytes:
    request = TimestampRequestBuilder().data(body.encode()).nonce(nonce=True).build()
    return authority.answer(request.as_bytes())


@pytest.mark.requirement("URS-AUD-034")
def test_a_token_holds_for_its_text_and_authority_alone(authority):
    raw = sent(authority)
    told = timestamps.checked(raw, BODY, [authority.root]).tst_info
    assert abs(told.gen_time - datetime.now(UTC)) < timedelta(minutes=5)
    for text, root, nonce in (
        (BODY + "x", authority.root, None),
        (BODY, TestAuthority("Another").root, None),
        (BODY, authority.root, 7),
    ):
        with pytest.raises(StampRefused, match="does not hold"):
            timestamps.checked(raw, text, [root], nonce=nonce)


@pytest.mark.requirement("URS-AUD-034")
@pytest.mark.parametrize("place", range(200, 1400, 150))
def test_a_token_with_a_changed_byte_does_not_hold(authority, place):
    raw = bytearray(sent(authority))
    raw[-place] ^= 1
    with pytest.raises(StampRefused, match="does not hold"):
        timestamps.checked(bytes(raw), BODY, [authority.root])


@pytest.mark.requirement("URS-AUD-034")
@pytest.mark.parametrize("raw", [b"", b"nonsense", TestAuthority.refusal()])
def test_what_is_no_token_is_refused(authority, raw):
    with pytest.raises(StampRefused, match="does not hold"):
        timestamps.checked(raw, BODY, [authority.root])


@pytest.mark.requirement("URS-AUD-034")
def test_a_token_still_holds_when_its_certificates_have_expired():
    old = TestAuthority("Long Gone", valid_from=datetime(2010, 1, 1, tzinfo=UTC))
    old.now = lambda: datetime(2010, 6, 1, tzinfo=UTC)
    assert timestamps.checked(sent(old), BODY, [old.root]).tst_info.gen_time.year == 2010
    old.now = lambda: datetime(2016, 6, 1, tzinfo=UTC)  # a stamp that it could not make any more
    with pytest.raises(StampRefused, match="expired"):
        timestamps.checked(sent(old), BODY, [old.root])


@pytest.mark.requirement("URS-AUD-034")
def test_a_checkpoint_is_stamped_each_day_and_where_it_was_asked_for(
    ledger, server, tmp_path, monkeypatch
):
    stamper = Stamper(tmp_path / "none.txt")
    for expected in (1, 1):  # the first at once, then not before a day has passed
        seal(ledger)
        with ledger.as_sealer():
            stamper.step()
        assert Token.objects.count() == expected
    with transaction.atomic():
        timestamps.request("release of batch B-0042")
    seal(ledger)
    with ledger.as_sealer():
        stamper.step()
        stamper.step()
    assert [token.tree_size for token in Token.objects.order_by("id")] == [1, 5]
    monkeypatch.setattr(timestamps, "DAILY", timedelta(0))
    seal(ledger)
    with ledger.as_sealer():
        stamper.step()
    assert Token.objects.count() == 3
    received = Record.objects.filter(kind="audit.timestamp.received")
    assert received.count() == 3
    assert "CN=Time of Tests" in api.content(received.first())["data"]["authority"]


@pytest.mark.requirement("URS-AUD-034")
def test_an_authority_that_fails_is_an_outage_recorded_once(ledger, server, tmp_path, monkeypatch):
    monkeypatch.setattr(timestamps, "PAUSE", 0.0)
    good, server.answer = server.answer, lambda request: TestAuthority.refusal()
    stamper = Stamper(tmp_path / "none.txt")
    for _ in range(2):
        seal(ledger)
        with ledger.as_sealer():
            stamper.step()
    server.answer, server.status = good, 500
    with ledger.as_sealer():
        stamper.step()
    assert Token.objects.count() == 0
    server.status = 200
    with ledger.as_sealer():
        stamper.step()
    told = Record.objects.filter(kind__startswith="audit.timestamp").order_by("id")
    assert [record.kind.rpartition(".")[2] for record in told] == ["failed", "received", "resumed"]


@pytest.mark.requirement("URS-AUD-034")
def test_after_a_failure_the_authority_is_left_alone_for_a_while(ledger, server, tmp_path):
    server.status = 503
    stamper = Stamper(tmp_path / "none.txt")
    seal(ledger)
    with ledger.as_sealer():
        stamper.step()
        stamper.step()
    assert server.asked == 1


@pytest.mark.requirement("URS-AUD-034")
def test_an_authority_with_another_clock_or_nonce_is_refused(authority, server, monkeypatch):
    site = Authority(server.url, (authority.root,))
    first = sent(authority)
    server.answer = lambda request: first  # a token of before, played again
    with pytest.raises(StampRefused, match="Nonce"):
        site.stamp(BODY)
    server.answer = authority.answer
    monkeypatch.setattr(timestamps, "CLOCKS_APART", timedelta(0))
    with pytest.raises(StampRefused, match="compare both clocks"):
        site.stamp(BODY)
    server.answer = lambda request: b"x" * 70_000
    with pytest.raises(StampRefused, match="no token"):
        site.stamp(BODY)
    with pytest.raises(StampRefused, match="does not answer"):
        Authority("http://127.0.0.1:9/", (authority.root,)).stamp(BODY)


def test_without_an_authority_nothing_is_asked_and_half_a_setting_is_named(settings, tmp_path):
    settings.TIMESTAMP_URL = ""
    assert timestamps.authority() is None
    settings.TIMESTAMP_URL, settings.TIMESTAMP_ROOTS = "http://tsa.example", None
    with pytest.raises(StampRefused, match="TWIN_TIMESTAMP_ROOTS"):
        timestamps.authority()
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(StampRefused, match="no certificates"):
        timestamps.read_roots(tmp_path / "empty.pem")


@pytest.mark.requirement("URS-AUD-034")
def test_a_stored_token_cannot_be_changed_and_a_changed_one_is_found(
    ledger, server, tmp_path, as_role
):
    seal(ledger)
    with ledger.as_sealer():
        call_command("stamp_checkpoint", stdout=StringIO())
    said = StringIO()
    call_command("verify_tokens", "--live", stdout=said)
    assert "1 tokens hold" in said.getvalue()
    with pytest.raises(DatabaseError, match=r"refused|denied"), transaction.atomic():
        Token.objects.update(tree_size=2)
    owner = as_role("superuser")
    owner.execute("ALTER TABLE audit_token DISABLE TRIGGER ALL")
    owner.execute("UPDATE audit_token SET body = replace(body, 'block', 'blocc')")
    owner.commit()
    with pytest.raises(CommandError, match="not that of the checkpoint"):
        call_command("verify_tokens", "--live", stdout=StringIO())


@pytest.mark.requirement("URS-AUD-034")
def test_a_bundle_carries_its_tokens_and_they_are_checked_without_the_product(
    ledger, server, tmp_path, settings
):
    settings.LEDGER_PUBLIC_KEY_FILE = tmp_path / "ledger.pub"
    settings.LEDGER_PUBLIC_KEY_FILE.write_text(f"{ledger.keys[0]}\n")
    seal(ledger)
    with ledger.as_sealer():
        call_command("stamp_checkpoint", stdout=StringIO())
    seal(ledger)
    exports.export(tmp_path / "bundle")
    tokens = tmp_path / "bundle" / "tokens"
    assert sorted(path.name for path in tokens.iterdir()) == ["1.tsr", "1.txt"]
    body = checkpoint.parse_note(Checkpoint.objects.get(pk=1).note).body
    assert (tokens / "1.txt").read_text() == body
    call_command("verify_tokens", str(tmp_path / "bundle"), stdout=StringIO())
    assert verifier.verify(tmp_path / "bundle", trust=settings.LEDGER_PUBLIC_KEY_FILE).ok
    (tokens / "1.txt").write_text(body.replace("\n1\n", "\n2\n"))
    with pytest.raises(CommandError, match=r"1\.tsr: the token does not hold"):
        call_command("verify_tokens", str(tmp_path / "bundle"), stdout=StringIO())


def test_verifying_tokens_needs_to_know_which_and_against_what(tmp_path, settings):
    settings.TIMESTAMP_ROOTS = None
    with pytest.raises(CommandError, match="--roots"):
        call_command("verify_tokens", "--live")
    roots = tmp_path / "roots.pem"
    roots.write_bytes(TestAuthority().roots)
    with pytest.raises(CommandError, match="either"):
        call_command("verify_tokens", "--roots", str(roots))
    with pytest.raises(CommandError, match="no token"):
        call_command("verify_tokens", str(tmp_path), "--roots", str(roots))

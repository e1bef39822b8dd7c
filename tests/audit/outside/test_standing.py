"""How the evidence outside is shown: what is so, and what is wrong, in words."""

import json

import pytest
from django.db import transaction
from django.test import Client

from audit import api, checkpoint, exports, verification, verifier
from audit.models import Checkpoint
from audit.outside import policy, publishing, witnesses
from audit.outside.alarms import Outage
from audit.outside.publishing import Publisher
from audit.outside.standing import open_outages, standing
from tests.audit.people import enter
from tests.web.serving import sign_in


def seal(ledger, publisher: Publisher | None = None) -> None:
    with transaction.atomic():
        api.append(stream="test", kind="test.fact.noted")
    ledger.seal()
    if publisher:
        with ledger.as_sealer():
            publisher.step()


@pytest.mark.requirement("URS-AUD-031")
def test_without_witnesses_and_authority_the_page_says_so(ledger, settings, tmp_path):
    settings.WITNESSES_FILE = tmp_path / "none.txt"
    seal(ledger)
    settings.ROOT_URLCONF = "tests.audit.desk_urls"
    page = sign_in(Client(), enter("anna", "auditor").user).get("/trail/").content.decode()
    assert "Evidence outside" in page
    assert page.count("not configured") == 2
    assert "1 of 1 records" in page
    assert standing().state == "stopped"


@pytest.mark.requirement("URS-AUD-031")
def test_a_quorum_and_its_outage_are_shown(ledger, watch, settings, monkeypatch):
    monkeypatch.setattr(publishing, "UNMET_AFTER", 0.0)
    monkeypatch.setattr(witnesses, "FIRST_PAUSE", 0.0)
    (only,) = watch()
    publisher = Publisher(settings.WITNESSES_FILE, ledger.outside)
    seal(ledger, publisher)
    assert standing().facts()[1] == ("Witnesses", "1 cosigned, 1 of 1 asked for")
    assert (standing().state, standing().troubles) == ("running", ())
    only.stop()
    seal(ledger, publisher)
    found = standing()
    assert found.published < found.signed
    assert found.state == "failed"
    assert found.troubles == ("Witnesses: 0 of 1 witnesses have cosigned",)
    only.start()
    seal(ledger, publisher)
    assert standing().troubles == ()


@pytest.mark.requirement("URS-AUD-033")
def test_each_store_has_its_own_outage(ledger):
    kinds = {"begun": "audit.delivery.failed", "ended": "audit.delivery.resumed"}
    one, two = (Outage(**kinds, what=f"folder /{name}") for name in ("one", "two"))
    one.begin("no disk")
    two.begin("no room")
    one.end("there again")
    assert open_outages() == ["folder /two: no room"]
    assert not Outage(**kinds, what="folder /one").is_open
    assert Outage(**kinds, what="folder /two").is_open


def test_a_mistake_in_the_witnesses_file_is_shown(ledger, settings, tmp_path):
    settings.WITNESSES_FILE = tmp_path / "witnesses.txt"
    settings.WITNESSES_FILE.write_text("quorum 3\n")
    assert "quorum is 3 of 0" in standing().troubles[0]
    assert standing().state == "failed"


@pytest.mark.requirement("URS-AUD-031")
def test_an_export_ends_with_what_witnesses_saw_and_in_an_outage_with_what_is_signed(
    ledger, watch, settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(publishing, "UNMET_AFTER", 0.0)
    monkeypatch.setattr(witnesses, "FIRST_PAUSE", 0.0)
    (only,) = watch()
    publisher = Publisher(settings.WITNESSES_FILE, ledger.outside)
    seal(ledger, publisher)
    seal(ledger)  # signed a moment ago, and not yet cosigned
    assert last_of(exported(tmp_path / "met", settings)) == publishing.last_publication().tree_size
    only.stop()
    seal(ledger, publisher)
    newest = Checkpoint.objects.order_by("-pk").first().tree_size
    assert last_of(exported(tmp_path / "unmet", settings)) == newest
    only.start()


def exported(folder, settings) -> list[str]:
    """Export, verify offline, and return the checkpoints of the bundle."""
    exports.export(folder)
    assert verifier.verify(folder, trust=settings.LEDGER_PUBLIC_KEY_FILE).ok
    lines = (folder / "checkpoints.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def last_of(notes: list[str]) -> int:
    assert any(note.count("— ") == 2 for note in notes)  # one at least bears its cosignature
    return checkpoint.parse(notes[-1]).tree_size


@pytest.mark.requirement("URS-AUD-031")
def test_a_publication_without_its_quorum_is_found_by_the_live_verification(
    ledger, watch, settings
):
    watch()
    publisher = Publisher(settings.WITNESSES_FILE, ledger.outside)
    seal(ledger, publisher)
    asked = policy.read(settings.WITNESSES_FILE)

    def verify():
        return verification.verify(keys=ledger.keys, outside=ledger.outside.all(), policy=asked)

    result = verify()
    assert (result.ok, result.published) == (True, publishing.last_publication().tree_size)
    assert "1 witnesses of 1 asked for" in result.witnesses
    newest = Checkpoint.objects.order_by("-pk").first()
    with ledger.as_sealer():
        publishing.Publication.objects.create(tree_size=newest.tree_size, note=newest.note)
    assert "0 witnesses cosigned it, 1 must" in verify().finding.what

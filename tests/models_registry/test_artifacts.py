"""Artefacts: by digest, checked at each load, data only."""

import ast
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

import models_registry
from audit import api as audit
from models_registry import artifacts, standing, testing, versions
from models_registry.artifacts import ArtefactRefused
from models_registry.models import ModelVersion

PICKLED = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x8c\x06format\x94K\x01s."
PACKAGE = Path(models_registry.__file__).parent


@pytest.mark.requirement("URS-REG-001")
@pytest.mark.django_db
def test_an_artefact_comes_back_as_it_was_put():
    digest = artifacts.put(testing.ARTEFACT)
    assert artifacts.fetch(digest) == testing.ARTEFACT
    assert artifacts.put(dict(reversed(testing.ARTEFACT.items()))) == digest


@pytest.mark.requirement("URS-REG-001")
@pytest.mark.django_db
def test_an_unknown_digest_is_refused():
    with pytest.raises(ArtefactRefused, match="not in the store"):
        artifacts.fetch("0" * 64)


@pytest.mark.requirement("URS-REG-002")
@pytest.mark.django_db
@pytest.mark.parametrize(
    "content",
    [PICKLED, b"[1,2]", b'{"b":1,"a":2}', b'{"a":1.5}', b"\x89HDF\r\n"],
)
def test_what_is_not_canonical_data_is_refused_before_it_is_read(content):
    digest = audit.put_blob(content, "application/json")
    with pytest.raises(ArtefactRefused):
        artifacts.fetch(digest)


@pytest.mark.requirement("URS-REG-002")
def test_the_registry_imports_nothing_that_unpickles():
    unsafe = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "torch", "yaml"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in getattr(node, "names", ())]
            names += [getattr(node, "module", None) or ""]
            assert not unsafe & {name.split(".")[0] for name in names}, path


@pytest.fixture
def stored(ledger_db):
    """A committed version with an artefact, in a database of its own."""
    with transaction.atomic():
        return testing.calibrated(testing.drafted(None))


def tamper(as_role, statement, *values):
    """Do as a superuser would who has switched every guard rail off."""
    connection = as_role("superuser")
    connection.execute("ALTER TABLE audit_blob DROP CONSTRAINT blob_is_its_digest")
    for table in ("audit_blob", "models_registry_modelversion", "audit_record"):
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
    assert connection.execute(statement, values).rowcount == 1
    connection.commit()


def refusals():
    return list(
        audit.Record.objects.filter(kind="models_registry.artefact.refused").values_list(
            "stream", flat=True
        )
    )


@pytest.mark.requirement("URS-REG-001")
def test_one_changed_byte_is_not_loaded_and_the_difference_is_recorded(stored, as_role):
    assert standing.load(stored) == testing.ARTEFACT
    content = audit.encode(testing.ARTEFACT).replace(b"0.031", b"0.032")
    tamper(
        as_role,
        "UPDATE audit_blob SET content = %s WHERE digest = %s",
        content,
        stored.artefact_digest,
    )
    with pytest.raises(ArtefactRefused, match="damaged"):
        standing.load(stored)
    assert refusals() == ["model/BR-101/cho_fed_batch"]
    with pytest.raises(CommandError, match="1 of 1 artefacts must not be used"):
        call_command("verify_artifacts")


@pytest.mark.requirement("URS-REG-001")
def test_a_row_that_names_another_artefact_than_its_record_is_not_loaded(stored, as_role):
    other = artifacts.put({"format": 1, "parameters": {}})
    tamper(as_role, "UPDATE models_registry_modelversion SET artefact_digest = %s", other)
    with pytest.raises(ArtefactRefused, match="its record"):
        standing.load(ModelVersion.objects.get(pk=stored.pk))


@pytest.mark.requirement("URS-REG-001")
def test_sound_artefacts_pass_the_command(stored, capsys):
    call_command("verify_artifacts")
    assert "1 artefacts fit their records" in capsys.readouterr().out


@pytest.mark.requirement("URS-REG-001")
@pytest.mark.django_db
def test_a_version_without_an_artefact_is_not_loaded():
    with pytest.raises(ArtefactRefused, match="has no artefact yet"):
        standing.load(testing.drafted(None))


@pytest.fixture
def folder(tmp_path):
    artifacts.write_frozen(tmp_path, "v1.json", testing.ARTEFACT)
    return tmp_path


@pytest.mark.requirement("URS-REG-001")
def test_a_frozen_version_is_read_by_its_listed_digest(folder):
    assert artifacts.read_frozen(folder, "v1.json") == testing.ARTEFACT
    assert artifacts.frozen(folder) == {"v1.json": artifacts.digest_of(testing.ARTEFACT)}


@pytest.mark.requirement("URS-REG-001")
def test_a_changed_frozen_version_is_refused(folder):
    path = folder / "v1.json"
    path.write_bytes(path.read_bytes().replace(b"0.031", b"0.032"))
    with pytest.raises(ArtefactRefused, match="the list says"):
        artifacts.read_frozen(folder, "v1.json")


@pytest.mark.requirement("URS-REG-001")
@pytest.mark.parametrize(
    ("listing", "name", "reason"),
    [
        (None, "v1.json", "is missing"),
        ("not a list\n", "v1.json", "each line must be"),
        (f"{'0' * 64}  v2.json\n", "v1.json", "is not listed"),
        (f"{'0' * 64}  v2.json\n", "v2.json", "listed but missing"),
    ],
)
def test_a_frozen_version_without_a_sound_list_is_refused(folder, listing, name, reason):
    if listing is None:
        (folder / "DIGESTS").unlink()
    else:
        (folder / "DIGESTS").write_text(listing)
    with pytest.raises(ArtefactRefused, match=reason):
        artifacts.read_frozen(folder, name)


@pytest.mark.django_db
def test_a_version_is_registered_from_files(people, tmp_path, capsys):
    card, test = tmp_path / "card.json", tmp_path / "test.json"
    card.write_text(json.dumps(testing.card()))
    test.write_text(json.dumps({"package": "b" * 64, "batches": dict(testing.TEST.batches)}))
    options = ["--template", "cho_fed_batch", "--asset", "BR-101", "--card", str(card)]
    options += ["--test-set", str(test), "--as", "author", "--reason", "first version"]
    call_command("register_version", "v1", *options)
    version = ModelVersion.objects.get()
    assert version.author == people["author"]
    assert standing.test_set(version) == testing.TEST
    assert "1 criteria to sign" in capsys.readouterr().out
    with pytest.raises(CommandError, match="never used again"):
        call_command("register_version", "v1", *options)
    card.write_text("{}")
    with pytest.raises(CommandError, match="intended_use is missing"):
        call_command("register_version", "v2", *options)
    assert versions.refusals(version, "attach_training", None) is None

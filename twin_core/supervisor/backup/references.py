"""What the database points at, compared with what is there: blobs, artefacts, MLflow's copies.

Plain SQL on a server that runs alone; nothing of it is believed, everything is digested anew.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

ARTEFACT = "artefact.json"
DAMAGED = "SELECT digest FROM audit_blob WHERE digest <> encode(sha256(content), 'hex')"
CITED = """
SELECT DISTINCT cited, kind FROM audit_record,
    jsonb_array_elements_text(payload::jsonb -> 'blobs') AS cited
WHERE NOT EXISTS (SELECT FROM audit_blob WHERE digest = cited) ORDER BY 1
"""
VERSIONS = "SELECT id::text, name, artefact_digest, phase FROM models_registry_modelversion"
FED = """
SELECT version.value, digest.value, leaf.value, runs.artifact_uri
FROM tags AS version JOIN runs USING (run_uuid)
LEFT JOIN tags AS digest ON digest.run_uuid = version.run_uuid AND digest.key = 'artefact_digest'
LEFT JOIN tags AS leaf ON leaf.run_uuid = version.run_uuid AND leaf.key = 'record_leaf'
WHERE version.key = 'version_id' AND runs.lifecycle_stage = 'active'
"""
LEAF = "SELECT 1 FROM audit_record WHERE leaf = %s"


def dangling(
    twin: psycopg.Connection[Any], mlflow: psycopg.Connection[Any] | None, data: Path
) -> Iterator[str]:
    """Yield in words everything that is pointed at and is missing, damaged, or of another moment.

    ``mlflow`` is a session on the registry's own database, None where there is none.
    """
    for (digest,) in twin.execute(DAMAGED):
        yield f"blob {digest} has another content than its digest says"
    for digest, kind in twin.execute(CITED):
        yield f"blob {digest}, cited by a record of {kind}, is missing"
    versions = {row[0]: row[1:] for row in twin.execute(VERSIONS)}
    for name, digest, _phase in versions.values():
        known = twin.execute("SELECT 1 FROM audit_blob WHERE digest = %s", [digest]).fetchone()
        if digest and not known:
            yield f"artefact {digest} of model version {name} is missing"
    if mlflow is not None and mlflow.execute("SELECT to_regclass('tags')").fetchone() != (None,):
        yield from _of_registry(twin, mlflow, versions, data)


def _of_registry(
    twin: psycopg.Connection[Any],
    mlflow: psycopg.Connection[Any],
    versions: dict[str, Any],
    data: Path,
) -> Iterator[str]:
    for identity, digest, leaf, place in mlflow.execute(FED):
        if identity not in versions:
            yield f"the registry knows model version {identity}, the ledger's database does not"
            continue
        name, expected, _ = versions[identity]
        if leaf and not twin.execute(LEAF, [bytes.fromhex(leaf)]).fetchone():
            yield f"the registry's entry of {name} cites a record that is not in the ledger"
        if digest not in (None, "none", expected):
            yield f"the registry has artefact {digest} for {name}, not {expected}"
        if digest not in (None, "none"):
            yield from _of_file(data, place, name, digest)


def _of_file(data: Path, place: str, name: str, digest: str) -> Iterator[str]:
    """Compare MLflow's copy; its folder has moved: the part of the place after mlflow/ counts."""
    _, _, below = unquote(urlsplit(place).path).partition("/mlflow/")
    path = data / "mlflow" / below / ARTEFACT
    if not path.is_file():
        yield f"the registry's file of {name} is missing: mlflow/{below}/{ARTEFACT}"
    elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        yield f"the registry's file of {name} is not its artefact: mlflow/{below}/{ARTEFACT}"

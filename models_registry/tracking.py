"""The only file that imports MLflow: it is fed with every version and decides nothing.

MLflow keeps parameters, scores, tags and a copy of each artefact, for people and tools that know
it. Phase, permission and artefact are never read from it. Its import takes seconds, so it stands
inside functions that workers and commands call, never on the way to a page; each call is a short
transaction of its own in a database of its own. When it fails, the act it tells of stands; the
failure is recorded and the outbox entry stays open for the next attempt.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import connection
from django.utils import timezone

from audit import api as audit
from models_registry import artifacts
from models_registry.models import ModelVersion, TrackingTask

EXPERIMENT = "model versions"
LOCK = 7_265_736  # advisory lock: one process feeds at a time
ENVIRONMENT = {  # before the import: MLflow reads them once
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SQLALCHEMYSTORE_POOLCLASS": "NullPool",  # no connection is kept between calls
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
ARTEFACT = "artefact.json"


class TrackingUnavailable(Exception):
    """MLflow cannot be reached or refuses; says what to do."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one round of feeding did."""

    fed: int = 0
    failed: tuple[str, ...] = ()
    is_busy: bool = False  # another process feeds just now


def sync(*, everything: bool = False) -> Report:
    """Bring MLflow up to the ledger: versions with open outbox entries, or all of them.

    Never raises for MLflow's faults: they are in the report and in the ledger. Raises
    TrackingUnavailable when no address is configured.
    """
    address = database_address()
    with _alone() as mine:
        if not mine:
            return Report(is_busy=True)
        waiting = _waiting(everything=everything)
        if not waiting:
            return Report()
        try:
            client = connect(address)
        except Exception as error:  # whatever a storage can do wrong must not reach the act
            failures = [_failed(version, error) for version in waiting]
            return Report(failed=tuple(failures))
        outcomes = [_feed_one(client, version) for version in waiting]
    failures = [outcome for outcome in outcomes if outcome]
    return Report(fed=len(outcomes) - len(failures), failed=tuple(failures))


def database_address() -> str:
    """Return the address of MLflow's own database as SQLAlchemy writes it."""
    url = settings.MLFLOW_DATABASE_URL
    if not url:
        raise TrackingUnavailable("TWIN_MLFLOW_DATABASE_URL is not set: no tracking store to feed")
    return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql+psycopg://", url)


def connect(address: str) -> Any:
    """Return a client; the first one ever makes MLflow's tables, which takes seconds.

    Whether the database answers is asked here: MLflow itself would try for minutes.
    """
    psycopg.connect(address.replace("+psycopg", "", 1), connect_timeout=5).close()
    os.environ.update(ENVIRONMENT)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=address, registry_uri=address)
    if client.get_experiment_by_name(EXPERIMENT) is None:
        folder = Path(settings.DATA_DIR) / "mlflow"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        client.create_experiment(EXPERIMENT, artifact_location=folder.resolve().as_uri())
    return client


def feed(client: Any, version: ModelVersion) -> None:
    """Register one version, or bring its entry up to what the ledger says now."""
    name = _registered_name(version)
    run = _run_of(client, version) or _new_run(client, version)
    known = run.data.tags
    tags = _tags(version)
    if version.artefact_digest and known.get("artefact_digest") != version.artefact_digest:
        content = audit.encode(artifacts.fetch(version.artefact_digest)).decode()
        client.log_text(run.info.run_id, content, ARTEFACT)
    for metric, reached in _metrics(version):
        client.log_metric(run.info.run_id, metric, reached)
    entry = _entry_of(client, name, version) or _new_entry(client, name, run, version)
    for key, text in tags.items():
        client.set_tag(run.info.run_id, key, text)
        client.set_model_version_tag(name, entry.version, key, text)


def _feed_one(client: Any, version: ModelVersion) -> str | None:
    try:
        feed(client, version)
    except Exception as error:  # as above: storage, not authority
        return _failed(version, error)
    _caught_up(version)
    return None


def _waiting(*, everything: bool) -> list[ModelVersion]:
    rows = ModelVersion.objects.select_related("model", "record").order_by("created_at")
    if not everything:
        open_tasks = TrackingTask.objects.filter(done_at=None)
        rows = rows.filter(pk__in=open_tasks.values("version_id"))
    return list(rows)


def _failed(version: ModelVersion, error: Exception) -> str:
    """Keep the fault in the outbox, and in the ledger the first time it appears."""
    words = _without_password(f"{type(error).__name__}: {error}".splitlines()[0])[:300]
    tasks = TrackingTask.objects.filter(version=version, done_at=None)
    is_new = not tasks.filter(failure=words).exists()
    for task in tasks:
        task.attempts, task.failure = task.attempts + 1, words
        task.save(update_fields=["attempts", "failure"])
    if is_new:
        _record(version, "failed", words)
    return f"{version.name}: {words}"


def _caught_up(version: ModelVersion) -> None:
    tasks = TrackingTask.objects.filter(version=version, done_at=None)
    if tasks.exclude(failure="").exists():
        _record(version, "caught_up", None)
    # An act after ``version`` was read left an entry with another leaf: that one stays open.
    newest = TrackingTask.objects.filter(version=version, leaf=bytes(version.record.leaf))
    last = newest.order_by("-pk").values_list("pk", flat=True).first()
    if last is not None:
        tasks.filter(pk__lte=last).update(done_at=timezone.now(), failure="")


def _record(version: ModelVersion, what: str, reason: str | None) -> None:
    write = audit.append if connection.in_atomic_block else audit.append_alone
    write(
        stream="tracking",
        kind=f"models_registry.tracking.{what}",
        reason=reason,
        parents=[version.record.leaf],
        data={"version": str(version.pk), "name": version.name},
    )


def _registered_name(version: ModelVersion) -> str:
    return f"{version.model.template}.{version.model.scope}"


def _run_of(client: Any, version: ModelVersion) -> Any:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    found = client.search_runs(
        [experiment.experiment_id],
        filter_string=f"tags.version_id = '{UUID(str(version.pk))}'",
        max_results=1,
    )
    return found[0] if found else None


def _new_run(client: Any, version: ModelVersion) -> Any:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    run = client.create_run(
        experiment.experiment_id,
        tags={"version_id": str(version.pk)},
        run_name=f"{_registered_name(version)} {version.name}",
    )
    parameters = {
        "template": version.model.template,
        "scope": version.model.scope,
        "name": version.name,
        "author": version.author_name,
        "created_at": audit.timestamp(version.created_at),
        "test_digest": version.test_digest or "none",
    }
    for key, value in parameters.items():
        client.log_param(run.info.run_id, key, value)
    return run


def _entry_of(client: Any, name: str, version: ModelVersion) -> Any:
    try:
        found = client.search_model_versions(f"name = '{name}'")
    except Exception as error:
        raise TrackingUnavailable(f"MLflow cannot search {name}: {error}") from error
    return next((e for e in found if e.tags.get("version_id") == str(version.pk)), None)


def _new_entry(client: Any, name: str, run: Any, version: ModelVersion) -> Any:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=version.model.title)
    return client.create_model_version(
        name,
        source=run.info.artifact_uri,
        run_id=run.info.run_id,
        tags={"version_id": str(version.pk)},
        description=version.name,
    )


def _tags(version: ModelVersion) -> dict[str, str]:
    return {
        "version_id": str(version.pk),
        "phase": str(version.phase),
        "record_leaf": bytes(version.record.leaf).hex(),
        "artefact_digest": version.artefact_digest or "none",
        "equations_digest": version.equations_digest or "none",
        "training_digest": version.training_digest or "none",
    }


def _metrics(version: ModelVersion) -> Iterator[tuple[str, float]]:
    """Yield (name, value); MLflow allows fewer characters in a name than we do."""
    if not version.scores:
        return
    for name, entry in audit.decode(version.scores.encode())["metrics"].items():
        yield re.sub(r"[^\w./ -]", "_", name), float(entry["value"])


def _without_password(text: str) -> str:
    return re.sub(r"//[^@/\s]*@", "//…@", text)


@contextmanager
def _alone() -> Iterator[bool]:
    """Hold the advisory lock of the session: no transaction stays open while MLflow works."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        (mine,) = cursor.fetchone()
        try:
            yield bool(mine)
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])

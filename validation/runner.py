"""Run a protocol, write each result into the record store as it comes, make the hand-over file."""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit import api as audit
from validation import evidence, handover, requirements
from validation.protocols import Protocol, ProtocolInvalid, StepResult, perform_all

Told = dict[str, Any]
Watcher = Callable[[StepResult], None]


def installed() -> dict[str, Protocol]:
    """Return the protocols of the modules in ``settings.INSTALLED_PROTOCOLS`` by name."""
    protocols = [import_module(name).protocol for name in settings.INSTALLED_PROTOCOLS]
    return {protocol.name: protocol for protocol in protocols}


def check(protocol: Protocol) -> dict[str, str]:
    """Return the fingerprint of each requirement that the protocol verifies.

    Raises ProtocolInvalid when a step names a requirement that does not exist.
    """
    known = requirements.load()
    fingerprints = {}
    for step in protocol.steps:
        for id in step.verifies:
            if id not in known:
                raise ProtocolInvalid(f"{step.id} verifies {id}, which is no requirement")
            fingerprints[id] = known[id].fingerprint
    return fingerprints


def execute(
    protocol: Protocol, *, executor: Any, out: Path, watch: Watcher = lambda result: None
) -> Told:
    """Run every step on this installation and return what was told of it.

    Each result is committed before the next step begins, so that a run broken off shows as such.
    Not inside a transaction: steps wait for seals. The hand-over folder ``out`` is written last.
    """
    fingerprints = check(protocol)
    started = timezone.now()
    run = _announcement(protocol, executor, started)
    record = _append(protocol, "run.started", executor, data=run)
    told_steps = []
    for result in perform_all(protocol, actor=executor):
        told = _step_as_told(result, run["run"], fingerprints, started)
        record = _append_step(protocol, executor, result, told, parent=record)
        told_steps.append({**told, "record": str(record.id), "leaf": bytes(record.leaf).hex()})
        started = timezone.now()
        watch(result)
    return _complete(protocol, executor, run, told_steps, parent=record, out=out)


def outcome_of(steps: Iterable[Told]) -> str:
    """A run passes when every one of its steps passed."""
    outcomes = [step["outcome"] for step in steps]
    return "passed" if outcomes and set(outcomes) == {"passed"} else "failed"


def _announcement(protocol: Protocol, executor: Any, started: datetime) -> Told:
    source = inspect.getsource(inspect.getmodule(protocol.steps[0].action))  # type: ignore[arg-type]
    return {
        "run": str(audit.uuid7()),
        "protocol": protocol.name,
        "title": protocol.title,
        "protocol_digest": hashlib.sha256(source.encode()).hexdigest(),
        "steps": [step.id for step in protocol.steps],
        "machine": evidence.machine(),
        "executor": audit.actor_of(executor).as_told(),
        "started_by": audit.os_user_actor().as_told(),  # who held the keyboard, whoever is named
        "started_at": audit.timestamp(started),
    }


def _step_as_told(
    result: StepResult, run: str, fingerprints: dict[str, str], started: datetime
) -> Told:
    return {
        "run": run,
        "step": result.step.id,
        "title": result.step.title,
        "risk": result.step.risk,
        "verifies": {id: fingerprints[id] for id in result.step.verifies},
        "outcome": result.outcome,
        "error": result.error,
        "started_at": audit.timestamp(started),
        "finished_at": audit.timestamp(timezone.now()),
        "software": audit.software(),
        "instructions": list(result.instructions),
        "observations": [asdict(each) for each in result.observations],
        "attachments": [
            {
                "name": a.name,
                "digest": a.digest,
                "media_type": a.media_type,
                "bytes": len(a.content),
            }
            for a in result.attachments
        ],
    }


@transaction.atomic
def _append_step(
    protocol: Protocol, executor: Any, result: StepResult, told: Told, *, parent: Any
) -> Any:
    """Write a step's record; expected and actual results are long and go into a blob."""
    kept = [audit.put_blob(each.content, each.media_type) for each in result.attachments]
    detail = audit.put_blob(audit.encode(told), "application/json")
    long = {"instructions", "observations"}
    return _append(
        protocol,
        f"step.{result.outcome}",
        executor,
        parents=[parent.leaf],
        blobs=dict.fromkeys([detail, *kept]),
        data={**{key: value for key, value in told.items() if key not in long}, "detail": detail},
    )


def _complete(
    protocol: Protocol, executor: Any, run: Told, steps: list[Told], *, parent: Any, out: Path
) -> Told:
    told = {
        **run,
        "finished_at": audit.timestamp(timezone.now()),
        "outcome": outcome_of(steps),
        "steps": steps,
    }
    attachments = {each["digest"] for step in steps for each in step["attachments"]}
    files = {
        "report.json": (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode(),
        "report.html": handover.page(told, {d: audit.get_blob(d) for d in attachments}).encode(),
    }
    with transaction.atomic():
        kept = {
            name: audit.put_blob(content, handover.MEDIA_TYPES[name])
            for name, content in files.items()
        }
        data = {
            key: told[key] for key in ("run", "protocol", "outcome", "started_at", "finished_at")
        }
        record = _append(
            protocol,
            "run.completed",
            executor,
            parents=[parent.leaf],
            blobs=kept.values(),
            data={**data, "files": kept},
        )
    proof = {"record": str(record.id), "leaf": bytes(record.leaf).hex(), "files": kept}
    files["record.json"] = (json.dumps(proof, indent=1) + "\n").encode()
    handover.write(out, files, {d: audit.get_blob(d) for d in attachments})
    return {**told, "record": str(record.id), "folder": str(out)}


def _append(protocol: Protocol, what: str, executor: Any, **facts: Any) -> Any:
    with transaction.atomic():
        return audit.append(
            stream=f"protocol/{protocol.name}", kind=f"validation.{what}", actor=executor, **facts
        )

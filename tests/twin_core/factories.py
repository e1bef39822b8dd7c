"""A small installation for tests: people, two assets, a model in force, batches with a history.

Everything is made by the same services as in use, except estimates, forecasts and advice, whose
content is made up here: nothing of it is a claim about the model.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import api as audit
from models_registry import testing as registry
from models_registry.api import ModelVersion, Phase
from tests.audit.people import Person, enter
from tests.twin_core.made_up import (
    LABORATORY,
    ONLINE,
    UNITS,
    band,
    curve,
    document,
    observed,
    rows,
    text,
    verdicts,
)
from twin_core.data import assets, batches, configuration, laboratory, segments
from twin_core.models import (
    Batch,
    ConfigurationFile,
    Equipment,
    Estimate,
    Forecast,
    JournalSample,
    LabResult,
    OutboxTask,
    Recommendation,
    TagStatus,
)

FOLDER = "twin_core/equipment/bioreactor"
PACE = 84.0  # process hours an hour of wall time
NAMES = {
    "engineer": ("Ben Okafor", "process_engineer"),
    "reviewer": ("Anna Meier", "qa_reviewer"),
    "approver": ("Clara Rossi", "qa_approver"),
    "validator": ("Vera Novak", "validation_engineer"),
    "auditor": ("Tom Auer", "auditor"),
    "administrator": ("Sami Laine", "system_administrator"),
    "operator": ("Olga Brandt", "plant_operator"),
}


@dataclass
class Site:
    """People by what they are, assets by tag, and the model version in force for each."""

    people: dict[str, Person]
    equipment: dict[str, Equipment] = field(default_factory=dict)
    versions: dict[str, ModelVersion] = field(default_factory=dict)

    def user(self, who: str) -> Any:
        return self.people[who].user


def site(*tags: str, **learned: Any) -> Site:
    """Return people and the assets ``tags`` (both when none is named), ready to advise.

    ``learned``: what their model versions were learned from, see ``models_registry.testing``.
    """
    made = Site({who: enter(who, role, printed_name=name) for who, (name, role) in NAMES.items()})
    enter("author", "process_engineer", "validation_engineer", printed_name="Max Weber")
    for tag in tags or ("BR-101", "BR-201"):
        made.equipment[tag] = equipment(tag, made.user("reviewer"))
        made.versions[tag] = version(tag, made, learned)
    return made


@transaction.atomic
def proved(user: Any) -> audit.SigningProof:
    """Return a fresh proof as ``prove`` leaves it on the record, without waiting for a code."""
    now = timezone.now()
    record = audit.append(
        stream=f"person/{user.pk}",
        kind="audit.proof.accepted",
        actor=user,
        data={"purpose": "signing"},
        occurred_at=now,
    )
    return audit.SigningProof(user.pk, record.pk, bytes(record.leaf), now)


def equipment(tag: str, person: Any, trust: str | None = None) -> Equipment:
    """Return an asset with its files declared, at the level of trust of the demonstration."""
    row = Equipment(
        tag=tag, name=f"Bioreactor {tag[3:]}", template="cho_fed_batch", trust="monitor"
    )
    save(row, f"equipment/{tag}", "twin_core.equipment.entered")
    paths: dict[str, str] = {
        ConfigurationFile.Kind.TAG_MAP: f"{FOLDER}/tag_maps/{tag}.tags.yaml",
        ConfigurationFile.Kind.LIMITS: f"{FOLDER}/assets/{tag}.asset.yaml",
    }
    configuration.put_in_force(
        row,
        paths,
        signer=person,
        proof=proved(person),
        reason="set-up of a test",
        shown=audit.view_digest(configuration.view(row, paths)),
    )
    wanted = trust or ("advise" if tag == "BR-101" else "supervised_write")
    for level in ("advise", "supervised_write"):
        if row.trust != wanted:
            raise_trust(row, level)
    return row


def raise_trust(row: Equipment, level: str) -> None:
    old = row.state_fields()
    row.trust = level
    save(row, f"equipment/{row.tag}", "twin_core.equipment.trust_raised", old=old)


@transaction.atomic
def save(row: Any, stream: str, kind: str, **facts: Any) -> Any:
    """Write a regulated row with its record; returns the row."""
    record = audit.append(
        stream=stream,
        kind=kind,
        subject=row,
        old=facts.pop("old", None),
        new=row.state_fields(),
        **facts,
    )
    row.save(record=record)
    return row


def version(tag: str, made: Site, learned: dict[str, Any] | None = None) -> ModelVersion:
    """Return a model version in force for an asset; the QA approver put it there."""
    people = {
        "author": audit.User.objects.get(username="author"),
        "process_engineer": made.user("engineer"),
        "validation_engineer": made.user("validator"),
        "qa_reviewer": made.user("reviewer"),
        "qa_approver": audit.User.objects.filter(username="chief").first()
        or enter("chief", "qa_approver", printed_name="Dora Keller").user,
    }
    return registry.version_in(
        Phase.IN_FORCE,
        people=people,
        prove=proved,
        scope=tag,
        name=f"{tag.lower()}-v1",
        learned=learned or {},
    )


def batch(
    made: Site, tag: str = "BR-201", *, until_h: float = 168.0, every_h: float = 12.0
) -> Batch:
    """Return a running batch with laboratory results and, on BR-201, sealed on-line data."""
    unit = made.equipment[tag]
    started = timezone.now() - timedelta(hours=until_h / PACE)
    row = batches.start(
        unit,
        plant_batch=f"PLANT-{tag[3:]}-7",
        started_at=started,
        attributes=dict(assets.of(unit).attributes),
        is_simulated=tag == "BR-201",
        reason="the plant reports a running batch",
    )
    tags = observed(is_simulated=row.is_simulated)
    for step in range(int((until_h - 2) // every_h) + 1):
        results(row, tags, step * every_h, until_h)
    if tag == "BR-201":
        online(row, started, until_h)
    return row


def results(row: Batch, tags: tuple[str, ...], hours: float, until_h: float) -> None:
    for tag in tags:
        laboratory.receive(
            row,
            tag=tag,
            value=round(curve(tag, hours) * (1 + 0.03 * math.sin(hours)), 3),
            unit=UNITS[tag],
            sampled_h=hours,
            received_h=min(hours + 2, until_h),
        )


def online(row: Batch, started: datetime, until_h: float) -> None:
    """Store on-line data: sealed every 24 h of process time, the last two hours in the journal."""
    step = 0.5
    for first in range(0, int(until_h), 24):
        hours = [first + step * k for k in range(48) if first + step * k <= until_h]
        _journal(row, started, hours)
        segments.seal(row)
    _journal(row, started, [until_h - 0.25, until_h])
    for tag in ONLINE:
        TagStatus.objects.create(
            equipment=row.equipment,
            tag=tag,
            value=curve(tag, until_h),
            unit=UNITS[tag],
            quality="good",
            source_time=timezone.now(),
            process_h=until_h - (2 if tag == "ph" else 0),
        )


def _journal(row: Batch, started: datetime, hours: list[float]) -> None:
    tags = (*ONLINE, "feed.rate", "temperature.setpoint")
    JournalSample.objects.bulk_create(
        JournalSample(
            batch=row,
            tag=tag,
            source_time=started + timedelta(hours=at / PACE),
            process_h=Decimal(str(at)),
            value=curve(tag, at),
            unit=UNITS[tag],
            raw_value=curve(tag, at),
            raw_unit=UNITS[tag],
            quality="good",
        )
        for tag in tags
        for at in hours
    )


@transaction.atomic
def forecast(
    made: Site, row: Batch, *, at_h: float = 168.0, undecided: str = "", until_h: float = 336.0
) -> Forecast:
    """Return a forecast with its estimate, made as at ``at_h``."""
    found = estimate(made, row, at_h=at_h, undecided=undecided)
    content = forecast_content(row, at_h, until_h, undecided)
    return save(
        Forecast(
            batch=row,
            estimate=found,
            issued_h=Decimal(str(at_h)),
            status="undecided" if undecided else "ok",
            reason=undecided,
            content=audit.put_blob(audit.encode(content), "application/json"),
        ),
        batches.stream(row),
        "twin_core.forecast.made",
        parents=[bytes(found.record.leaf)],
    )


def forecast_content(row: Batch, at_h: float, until_h: float, undecided: str) -> dict[str, Any]:
    """Return bands of what is measured, and of latent states all that is possible."""
    tags = observed(is_simulated=row.is_simulated)
    status = {"status": "undecided" if undecided else "ok", "reason": undecided}
    told = [one | status for one in rows(tags, at_h, until_h)]
    latent = {"status": "undecided", "reason": "never measured in training: latent"}
    whole = {"mean": "1", "lo90": "0", "hi90": "120"}
    told += [
        {"time_h": text(at_h), "tag": tag, "unit": UNITS[tag]} | whole | latent
        for tag in sorted(set(LABORATORY) - set(tags))
    ]
    return {"issued_h": text(at_h), "plan": [], "rows": told, "batch_id": row.number}


@transaction.atomic
def estimate(made: Site, row: Batch, *, at_h: float, undecided: str = "") -> Estimate:
    held = laboratory.effective(row, at_h=Decimal(str(at_h)))
    document = {
        "format": 1,
        "at_h": text(at_h),
        "laboratory": [told(one) for one in held],
        "segments": [
            {"id": str(one.pk), "tag": one.tag, "digest": one.digest}
            for one in row.segments.order_by("tag", "from_h")
        ],
    }
    state = {tag: {"unit": UNITS[tag], **band(tag, at_h, 0.03)} for tag in LABORATORY}
    content = {"state": state, "assumptions": verdicts(undecided), "reason": undecided}
    version = made.versions[row.equipment.tag]
    return save(
        Estimate(
            batch=row,
            model_version=version,
            at_h=Decimal(str(at_h)),
            inputs=(inputs := audit.put_blob(audit.encode(document), "application/json")),
            content=audit.put_blob(audit.encode(content), "application/json"),
        ),
        batches.stream(row),
        "twin_core.estimate.made",
        parents=[bytes(version.record.leaf)],
        blobs=[inputs],
    )


def told(one: LabResult) -> dict[str, str]:
    return {
        "record": bytes(one.record.leaf).hex(),
        "tag": one.tag,
        "value": one.value,
        "unit": one.unit,
        "sampled_h": str(one.sampled_h),
        "received_h": str(one.received_h),
    }


@transaction.atomic
def recommendation(
    made: Site, found: Forecast, *, tag: str = "feed.rate", expires_in_h: float = 12.0
) -> Recommendation:
    """Return a proposed recommendation: a feed or temperature change, or a harvest."""
    value, unit, current = {
        "feed.rate": ("8.2", "mL/h", "6.4"),
        "temperature.setpoint": ("33.5", "degC", "34.5"),
        "harvest": ("288", "h", ""),
    }[tag]
    version, row = made.versions[found.batch.equipment.tag], found.batch
    told = {"value": value, "unit": unit, "current": current or None}
    evidence = document(found, version, tag, told)
    return save(
        Recommendation(
            batch=row,
            forecast=found,
            state="proposed",
            title=evidence["title"],
            tag=tag,
            value=value,
            unit=unit,
            current_value=current,
            is_writable=tag != "harvest" and row.equipment.trust == "supervised_write",
            is_high_impact=tag != "feed.rate",
            issued_h=found.issued_h,
            expires_h=found.issued_h + Decimal(str(expires_in_h)),
            author=audit.User.objects.get(username="chief"),
            content=(content := audit.put_blob(audit.encode(evidence), "application/json")),
        ),
        batches.stream(row),
        "twin_core.recommendation.proposed",
        parents=[bytes(found.record.leaf)],
        blobs=[content],
    )


def parked(error: str = "ValueError: the input has no cell count") -> OutboxTask:
    """Return work that was tried too often."""
    return OutboxTask.objects.create(
        key="estimate:probe:24.000000",
        name="estimate",
        content={"batch": "019ab3c4", "at_h": "24.000000"},
        state=OutboxTask.State.PARKED,
        attempts=5,
        error=error,
    )

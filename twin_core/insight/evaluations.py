"""Calibration and replay between a batch package and the registry: evaluation, never advice.

Both work on a version of any phase. What a locked test set holds is not replayed before its
opening is on record, and batches that a version was trained on are not replayed at all.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from audit import api as audit
from models_registry import api as registry
from twin_core.insight.templates import activate, process_model
from twin_core.science import calibration, replay
from twin_core.science.packages import BatchHistory, Package, PackageError, read_package
from twin_core.science.versions import canonical, decimal_text

Progress = Callable[[str], None]
NO_ASSET = "evaluation"  # scope of a version that is for no asset
LOCKED_IN = (registry.Phase.DRAFTED, registry.Phase.SPECIFIED, registry.Phase.TRAINED)
RATIOS = {"rmse_of_range": "range", "rmse_to_persistence": "rmse_persistence"}
RIVALS = {"persistence": "rmse_persistence", "straight_line": "rmse_line"}


class EvaluationRefused(Exception):
    """A calibration or replay that must not be done; says what to do instead."""


def find_package(name: str) -> Package:
    """Return a package by the name of a shipped one or by its folder.

    Raises PackageError naming the flaw, or the shipped names when there is no such package.
    """
    shipped = {path.name: path for path in _shipped()}
    folder = shipped.get(name, Path(name))
    if not folder.is_dir():
        raise PackageError(f"{name} is no folder and no shipped package ({', '.join(shipped)})")
    return read_package(folder)


def _shipped() -> list[Path]:
    folders = [
        Path(settings.BASE_DIR, *package.split("."), "packages")
        for package in settings.INSTALLED_TWINS
    ]
    return sorted(path.parent for folder in folders for path in folder.glob("*/batches.csv"))


def chosen(package: Package, text: str | None, *, leave_out: bool) -> Package:
    """Return the package without, or with only, the batches of ``attribute=value[,value]``."""
    if text is None:
        return package
    attribute, found, values = text.partition("=")
    if not found or not attribute or not values:
        raise EvaluationRefused(f"{text!r} must read attribute=value, like feeding_strategy=HIP")
    named = set(values.split(","))
    inside = [b for b in package.batches if _attribute(b, attribute) in named]
    outside = [b for b in package.batches if _attribute(b, attribute) not in named]
    if not inside:
        raise EvaluationRefused(f"no batch of {package.name} has {text}")
    return Package(package.name, package.digest, tuple(outside if leave_out else inside))


def _attribute(batch: BatchHistory, name: str) -> str:
    return batch.batch_id if name == "batch_id" else batch.attributes.get(name, "")


def batch_digest(batch: BatchHistory) -> str:
    """Return the SHA-256 over what a batch holds, whatever its name and package."""
    content = {
        "template": batch.template,
        "scale_L": decimal_text(batch.scale_L),
        "attributes": dict(batch.attributes),
        "samples": [
            [*map(decimal_text, (s.time_h, s.value, s.received_h)), s.tag, s.unit, s.source]
            for s in batch.samples
        ],
        "events": [
            [*map(decimal_text, (e.time_h, e.value)), e.event, e.tag, e.unit] for e in batch.events
        ],
    }
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def data_set(package: Package) -> registry.DataSet:
    """Describe a package's batches for the registry."""
    batches = {batch.batch_id: batch_digest(batch) for batch in package.batches}
    return registry.DataSet(package.digest, batches)


def evaluation_card(template: str) -> dict[str, Any]:
    """Return the card of a version that serves evaluation alone: it states no criteria."""
    model = process_model(template)
    return {
        "intended_use": f"Evaluation of {template} on batch packages. Not for advice.",
        "impact": "low",
        "inputs": input_ranges(template),
        "outputs": [tag.name for tag in model.tags],
        "assumptions": [],
        "known_limits": ["Made without acceptance criteria: it can never be specified."],
        "criteria": [],
        "credibility": {
            "question": "How well does the model follow these batches?",
            "influence": "None on a batch.",
            "consequence": "None on a batch.",
            "evidence": "The replay's scores.",
        },
    }


def input_ranges(template: str) -> list[dict[str, str]]:
    """Return what each tag of a template may physically be, as a card states it."""
    return [
        {
            "tag": tag.name,
            "unit": tag.unit,
            "low": decimal_text(tag.low),
            "high": decimal_text(tag.high),
        }
        for tag in process_model(template).tags
    ]


def version_to_train(
    name: str, *, template: str, asset: str | None, author: Any
) -> registry.ModelVersion:
    """Return the version of a name that may still be trained; drafted when there is none.

    A fresh draft has an evaluation card and, without an asset, advises nothing.
    """
    process_model(template)  # an unknown template is refused before anything is written
    found = registry.find(name, template=template, scope=asset)
    if found is None:
        return registry.draft(
            template=template,
            scope=asset or NO_ASSET,
            name=name,
            card=evaluation_card(template),
            author=author,
        )
    if reason := registry.refusals(found, "attach_training", None):
        raise EvaluationRefused(f"{name} is {found.phase}: {reason}")
    return found


def known_version(name: str, *, template: str, asset: str | None) -> registry.ModelVersion:
    """Return the version of a name; raises LookupError naming those that there are."""
    found = registry.find(name, template=template, scope=asset)
    if found is None:
        rows = registry.ModelVersion.objects.filter(model__template=template).order_by("name")
        there = ", ".join(rows.values_list("name", flat=True)) or "none yet"
        raise LookupError(f"{template} has no version {name}; there are: {there}")
    return found


def open_and_score(
    version: registry.ModelVersion,
    package: Package,
    out: Path,
    *,
    person: Any,
    progress: Progress | None = None,
) -> tuple[registry.ModelVersion, dict[str, Any]]:
    """Open the locked test set (or go on with an opened one), score it, store the scores.

    Returns the version and the scores as ``scores.json`` holds them. Raises EvaluationRefused
    when the package is not the locked one; the test set is still closed then.
    """
    wanted = registry.test_set(version)
    if wanted is None:
        raise EvaluationRefused(f"{version.name} has no locked test set")
    inside = tuple(batch for batch in package.batches if batch.batch_id in wanted.batches)
    held = Package(package.name, package.digest, inside)
    if data_set(held) != wanted:
        raise EvaluationRefused(
            f"{package.name} does not hold the locked test set of {version.name}: digests differ"
        )
    if not version.test_openings:
        registry.open_test_set(version.pk, actor=person)
        version.refresh_from_db()
    found = replayed(version, held, out, actor=person, progress=progress)
    scores = registry_scores(found, held)
    return registry.attach_scores(version.pk, scores=scores, actor=person), found


def calibrate(
    package: Package,
    *,
    template: str,
    name: str,
    group_by: str = "batch_id",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return the artefact of a version learned from these batches alone."""
    made = calibration.calibrate(
        package, process_model(template), name=name, group_by=group_by, progress=progress
    )
    return json.loads(made.text)


def attach(
    version: registry.ModelVersion, artefact: Mapping[str, Any], package: Package, *, actor: Any
) -> registry.ModelVersion:
    """Attach a calibrated artefact to a version, with the batches it was learned from."""
    return registry.attach_training(
        version.pk,
        artefact=artefact,
        equations_digest=artefact["equations"],
        training=data_set(package),
        actor=actor,
        data={"scores_in_training": scores_as_told(artefact["scores"])},
    )


def replayed(
    version: registry.ModelVersion,
    package: Package,
    out: Path,
    *,
    actor: Any,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Replay a package into ``out``, record it, and return what ``scores.json`` holds.

    Raises EvaluationRefused for a locked test set that was not opened and for training batches.
    """
    if closed := _locked_batches(version, package):
        raise EvaluationRefused(
            f"{', '.join(closed)}: locked test set of {version.name}, opened once at verification "
            "(manage.py open_test_set); --leave-out others to replay the rest"
        )
    try:
        found = replay.replay(package, activate(version), out, progress=progress)
    except ValueError as error:
        raise EvaluationRefused(str(error)) from error
    audit.append_alone(
        stream=version.model.stream,
        kind="twin_core.model.replayed",
        actor=actor,
        parents=[version.record.leaf],
        data={
            "version": str(version.pk),
            "artefact": version.artefact_digest,
            "package": package.digest,
            "batches": len(package.batches),
            "scores": scores_as_told(found["next_sample"]),
        },
    )
    return found


def _locked_batches(version: registry.ModelVersion, package: Package) -> list[str]:
    locked = registry.test_set(version)
    if locked is None or version.test_openings or version.phase not in LOCKED_IN:
        return []
    return registry.shared_batches(data_set(package), locked)


def registry_scores(found: Mapping[str, Any], package: Package) -> dict[str, Any]:
    """Return replay scores in the registry's form: each metric beside its naive rivals."""
    return {
        "data_set": registry.data_set_digest(data_set(package)),
        "batches": len(package.batches),
        "metrics": {
            f"{tag}.{metric}": entry
            for tag, scores in found["next_sample"].items()
            for metric, entry in _metrics(scores)
        },
    }


def _metrics(scores: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, entry); an error without a scale (all outcomes equal) is left out."""
    yield "coverage_90", {"value": scores["coverage_90"], "unit": "1"}
    for metric, under in RATIOS.items():
        scale = float(scores[under])
        if scale > 0:
            yield (
                metric,
                {
                    "value": decimal_text(float(scores["rmse"]) / scale),
                    "unit": "1",
                    "baselines": {
                        rival: decimal_text(float(scores[key]) / scale)
                        for rival, key in RIVALS.items()
                    },
                },
            )


def scores_as_told(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return scores as a record may hold them: texts and whole numbers."""
    return {tag: _plain(entry) for tag, entry in scores.items()}


def _plain(entry: Any) -> Any:
    if isinstance(entry, Mapping):
        return {name: _plain(value) for name, value in entry.items()}
    return entry if isinstance(entry, int) else str(entry)

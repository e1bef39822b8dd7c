"""Factories for tests: a card, data sets, an artefact, and a version in each phase."""

from collections.abc import Callable, Mapping
from typing import Any

from models_registry import versions
from models_registry.lifecycle import DataSet, Phase
from models_registry.models import ModelVersion

Signing = Callable[[str], dict[str, Any]]  # role -> signer, proof and reason of a fresh signature

TRAINING = DataSet("a" * 64, {"B-1": "1" * 64, "B-2": "2" * 64, "B-3": "3" * 64})
TEST = DataSet("b" * 64, {"B-8": "8" * 64, "B-9": "9" * 64})
ARTEFACT = {"format": 1, "parameters": {"growth": {"unit": "1/h", "value": "0.031"}}}
EQUATIONS = "e" * 64
SCORES = {
    "package": TEST.package,
    "batches": 2,
    "metrics": {
        "viable_cell_density.rmse": {
            "value": "0.07",
            "unit": "of range",
            "baselines": {"persistence": "0.12", "straight_line": "0.113"},
        }
    },
}
POOR_SCORES = SCORES | {
    "metrics": {"viable_cell_density.rmse": {"value": "0.11", "unit": "of range"}}
}


def card(**changes: Any) -> dict[str, Any]:
    """Return a sound card, with ``changes`` made to it."""
    return {
        "intended_use": "Forecast viable cell density to support the time of harvest.",
        "impact": "medium",
        "inputs": [
            {"tag": "viable_cell_density", "unit": "1e6 cells/mL", "low": "0", "high": "40"}
        ],
        "outputs": ["viable_cell_density"],
        "assumptions": ["The culture is well mixed."],
        "known_limits": ["No statement on titer."],
        "criteria": [
            {
                "metric": "viable_cell_density.rmse",
                "comparison": "at_most",
                "limit": "0.08",
                "unit": "of range",
                "why": "A third better than the last value repeated.",
            }
        ],
        "credibility": {
            "question": "When does the culture leave the harvest window?",
            "influence": "One input among several of a human decision.",
            "consequence": "Harvest a day early or late.",
            "evidence": "Batches that training never saw.",
        },
    } | changes


def drafted(author: Any = None, **changes: Any) -> ModelVersion:
    """Return a drafted version with a locked test set."""
    facts: dict[str, Any] = {
        "template": "cho_fed_batch",
        "scope": "BR-101",
        "name": "v1",
        "card": card(),
        "test": TEST,
    }
    return versions.draft(author=author, **facts | changes)


def version_in(
    phase: Phase,
    *,
    author: Any,
    signing: Signing,
    scores: Mapping[str, Any] = SCORES,
    **changes: Any,
) -> ModelVersion:
    """Return a version that was walked to ``phase`` by the acts that lead there."""
    version = drafted(author, **changes)
    for act in _acts(signing, scores):
        if version.phase == phase:
            return version
        version = act(version)
    return version


def _acts(
    signing: Signing, scores: Mapping[str, Any]
) -> list[Callable[[ModelVersion], ModelVersion]]:
    def signed(act: Callable[..., ModelVersion], role: str) -> Callable[..., ModelVersion]:
        return lambda version: act(version.pk, **signing(role))

    def calibrated(version: ModelVersion) -> ModelVersion:
        versions.attach_training(
            version.pk, artefact=ARTEFACT, equations_digest=EQUATIONS, training=TRAINING
        )
        return versions.train(version.pk, **signing("process_engineer"))

    def verified(version: ModelVersion) -> ModelVersion:
        versions.open_test_set(version.pk, actor=signing("validation_engineer")["signer"])
        versions.attach_scores(version.pk, scores=scores)
        return versions.verify(version.pk, **signing("validation_engineer"))

    return [
        signed(versions.specify, "validation_engineer"),
        calibrated,
        verified,
        signed(versions.validate, "qa_approver"),
        signed(versions.put_in_force, "qa_approver"),
        signed(versions.suspend, "qa_reviewer"),
        signed(versions.retire, "qa_approver"),
    ]

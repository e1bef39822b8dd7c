"""Factories for tests: a card, data sets, an artefact, and a version in each phase."""

from collections.abc import Callable, Mapping
from typing import Any

from audit import api as audit
from models_registry import artifacts, versions
from models_registry.lifecycle import DataSet, Phase
from models_registry.models import ModelVersion

TRAINING = DataSet("a" * 64, {"B-1": "1" * 64, "B-2": "2" * 64, "B-3": "3" * 64})
TEST = DataSet("b" * 64, {"B-8": "8" * 64, "B-9": "9" * 64})
ARTEFACT = {"format": 1, "parameters": {"growth": {"unit": "1/h", "value": "0.031"}}}
EQUATIONS = "e" * 64
SCORES = {
    "data_set": artifacts.data_set_digest(TEST),
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


def signed(version: ModelVersion, action: str, signer: Any, proof: Any) -> ModelVersion:
    """Do a signed act on a version as somebody who has just seen it."""
    return versions.SIGNED[action](
        version.pk,
        signer=signer,
        proof=proof,
        reason="as planned",
        shown=audit.view_digest(versions.view_of(version, action)),
    )


def version_in(
    phase: Phase, *, people: Mapping[str, Any], prove: Callable[[Any], Any], **changes: Any
) -> ModelVersion:
    """Return a version that was walked to ``phase`` by the acts that lead there.

    ``people`` holds ``author`` and one person a role; ``prove`` returns a person's fresh proof.
    ``scores`` and ``learned`` (facts for ``calibrated``) replace what training gives otherwise.
    """
    scores, learned = changes.pop("scores", SCORES), changes.pop("learned", {})
    version = drafted(people["author"], **changes)
    for action, role in WAY:
        if version.phase == phase:
            break
        if action == "train":
            calibrated(version, **learned)
        if action == "verify":
            scored(version, people["validation_engineer"], scores)
        version.refresh_from_db()
        version = signed(version, action, people[role], prove(people[role]))
    return version


def calibrated(version: ModelVersion, **changes: Any) -> ModelVersion:
    facts: dict[str, Any] = {
        "artefact": ARTEFACT,
        "equations_digest": EQUATIONS,
        "training": TRAINING,
    }
    return versions.attach_training(version.pk, **facts | changes)


def scored(version: ModelVersion, engineer: Any, scores: Mapping[str, Any]) -> ModelVersion:
    versions.open_test_set(version.pk, actor=engineer)
    return versions.attach_scores(version.pk, scores=scores)


WAY = (
    ("specify", "validation_engineer"),
    ("train", "process_engineer"),
    ("verify", "validation_engineer"),
    ("validate", "qa_approver"),
    ("put_in_force", "qa_approver"),
    ("suspend", "qa_reviewer"),
    ("retire", "qa_approver"),
)

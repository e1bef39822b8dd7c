"""Two people act on one version at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections

from audit import api as audit
from models_registry import api as registry
from tests.twin_core import factories


@pytest.mark.requirement("URS-REG-003")
def test_two_acts_at_one_moment_give_one_act_and_one_clear_refusal(desk):
    version, reviewer = desk.site.versions["BR-201"], desk.site.user("reviewer")
    shown = audit.view_digest(registry.view_of(version, "suspend"))
    proofs, start = [factories.proved(reviewer) for _ in range(2)], Barrier(2)

    def suspend(proof) -> str:
        try:
            start.wait(timeout=30)
            registry.suspend(
                version.pk, signer=reviewer, proof=proof, reason="residuals grow", shown=shown
            )
        except (audit.ViewChanged, registry.TransitionRefused) as refused:
            return type(refused).__name__
        finally:
            connections["default"].close()
        return "suspended"

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(suspend, proofs))
    assert answers[1] == "suspended"
    assert answers[0] in {"TransitionRefused", "ViewChanged"}
    acts = [step.kind for step in registry.history(version)]
    assert acts.count("models_registry.version.suspended") == 1

"""Model versions of the demonstration: walked through every phase by its people, once.

The acts, guards and signatures are those of the product; only the hands are scripted. Frozen
artefacts ship by digest (``versions/DIGESTS``); one that does not fit the installed equations is
learned here, with progress. Interrupted, it goes on where it stopped.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit import api as audit
from models_registry import api as registry
from twin_core.insight import evaluations
from twin_core.science.kernel import equations_digest
from twin_core.science.packages import Package
from twin_core.supervisor.people import Secrets

FOLDER = Path(__file__).resolve().parents[1] / "equipment" / "bioreactor" / "versions"
STEP = timedelta(seconds=30)  # each one-time code; the one before and after are accepted too
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """One version to bring into force, and the batches that it must never have seen."""

    asset: str
    template: str
    name: str
    package: str
    locked: str  # attribute=value[,value]: the test set; the other batches are learned from
    group_by: str

    @property
    def card(self) -> Path:
        return FOLDER / f"{self.name}.card.json"

    def test_set(self) -> Package:
        whole = evaluations.find_package(self.package)
        return evaluations.chosen(whole, self.locked, leave_out=False)

    def training_set(self) -> Package:
        whole = evaluations.find_package(self.package)
        return evaluations.chosen(whole, self.locked, leave_out=True)


PLANS = (
    Plan(
        asset="BR-101",
        template="cho_fed_batch",
        name="br101-nistcho-1",
        package="nistcho_fb2",
        locked="feeding_strategy=HIP",  # BR-101 plays a culture of this strategy
        group_by="feeding_strategy",
    ),
    Plan(
        asset="BR-201",
        template="cho_fed_batch",
        name="br201-simulated-1",
        package="br201_recorded",
        locked="batch_id=SIM-900011,SIM-900012",
        group_by="batch_id",
    ),
)
AUTHOR, ENGINEER, APPROVER = "priya", "viktor", "amara"


@dataclass(frozen=True)
class Hands:
    """The demonstration's people signing: each code once, waiting their turn."""

    everybody: Mapping[str, Secrets]
    say: Say
    sleep: Callable[[float], None] = time.sleep

    def person(self, username: str) -> Any:
        return audit.User.objects.get(username=username)

    def sign(self, version: registry.ModelVersion, act: str, username: str, reason: str) -> None:
        """Sign an act as a person who has just looked at the version."""
        view = audit.view_digest(registry.view_of(version, act))
        signer, proof = self.prove(username)
        registry.SIGNED[act](version.pk, signer=signer, proof=proof, reason=reason, shown=view)
        self.say(f"{version.name}: {act.replace('_', ' ')}, signed by {signer.printed_name}")

    def prove(self, username: str) -> tuple[Any, audit.SigningProof]:
        """Return a person with a fresh proof by password and the next code that is accepted.

        The person may sign elsewhere at the same time: a code that was used meanwhile is followed
        by the next one.
        """
        signer, held = self.person(username), self.everybody[username]
        while True:
            code = held.code(self._next_code(signer))[0]
            try:
                return signer, audit.prove(signer, password=held.password, code=code)
            except audit.SignatureRefused as refused:
                if refused.reason != audit.USED_BEFORE:
                    raise
                self.say(f"{signer.printed_name}: {refused}")

    def _next_code(self, signer: Any) -> datetime:
        """Return the moment of the first code that is unused; wait until it is accepted."""
        moment = audit.next_code_at(signer, timezone.now() - STEP)
        wait = (moment - STEP - timezone.now()).total_seconds()
        if wait > 0:
            self.say(f"waiting {wait:.0f} s for the next code of {signer.printed_name}")
            self.sleep(wait)
        return moment


def bring_models_into_force(
    everybody: Mapping[str, Secrets],
    *,
    say: Say,
    plans: tuple[Plan, ...] = PLANS,
    sleep: Callable[[float], None] = time.sleep,
) -> list[registry.ModelVersion]:
    """Bring a version into force for each asset that has none, and return those in force.

    The plans take turns, so that nobody waits longer than needed for a next code. A version that
    was suspended or retired by a person is left alone.
    """
    hands = Hands(everybody, say, sleep)
    waiting = [walk(plan, hands) for plan in plans if not _is_settled(plan)]
    while waiting:
        waiting = [way for way in waiting if next(way, None)]
    found = [registry.in_force(plan.asset, template=plan.template) for plan in plans]
    return [version for version in found if version]


def _is_settled(plan: Plan) -> bool:
    if registry.in_force(plan.asset, template=plan.template):
        return True
    version = registry.find(plan.name, template=plan.template, scope=plan.asset)
    ended = {registry.Phase.SUSPENDED, registry.Phase.RETIRED}
    return version is not None and version.phase in ended


def walk(plan: Plan, hands: Hands) -> Iterator[str]:
    """Take a version from where it stands into force; yields its phase after each act."""
    version = registry.find(plan.name, template=plan.template, scope=plan.asset) or draft(
        plan, hands.person(AUTHOR)
    )
    while version.phase != registry.Phase.IN_FORCE:
        step(version, plan, hands)
        version.refresh_from_db()
        yield version.phase


def step(version: registry.ModelVersion, plan: Plan, hands: Hands) -> None:
    """Do the act that leads out of the version's phase."""
    sign = partial(hands.sign, version)
    match version.phase:
        case registry.Phase.DRAFTED:
            sign("specify", ENGINEER, "criteria fit the intended use")
        case registry.Phase.SPECIFIED:
            if not version.artefact_digest:
                train(version, plan, hands)
            sign("train", AUTHOR, "learned from the named batches alone")
        case registry.Phase.TRAINED:
            if not version.scores:
                score(version, plan, hands)
            sign("verify", ENGINEER, "scored once on batches that training never saw")
        case registry.Phase.VERIFIED:
            sign("validate", APPROVER, "criteria met, limits stated on the card")
        case registry.Phase.VALIDATED:
            sign("put_in_force", APPROVER, "released for the demonstration")
        case ended:
            raise RuntimeError(f"{version.name} became {ended} meanwhile: it is left alone")


def draft(plan: Plan, author: Any) -> registry.ModelVersion:
    return registry.draft(
        template=plan.template,
        scope=plan.asset,
        name=plan.name,
        card=plan.card.read_text(encoding="utf-8"),
        author=author,
        test=evaluations.data_set(plan.test_set()),
        reason="model of the demonstration",
    )


def train(version: registry.ModelVersion, plan: Plan, hands: Hands) -> None:
    """Attach the frozen artefact, or one learned now where none fits the installed equations."""
    training = plan.training_set()
    artefact = frozen(plan)
    if artefact is None:
        hands.say(f"{plan.name}: no frozen artefact fits the installed equations, learning one")
        artefact = evaluations.calibrate(
            training,
            template=plan.template,
            name=plan.name,
            group_by=plan.group_by,
            progress=lambda text: hands.say(f"{plan.name}: {text}"),
        )
    evaluations.attach(version, artefact, training, actor=hands.person(AUTHOR))
    version.refresh_from_db()


def frozen(plan: Plan) -> dict[str, Any] | None:
    """Return the shipped artefact of a plan; None where there is none for these equations.

    Raises registry.ArtefactRefused for a file that is not what its listed digest says.
    """
    file = f"{plan.name}.json"
    if not (FOLDER / "DIGESTS").exists() or file not in registry.frozen(FOLDER):
        return None
    artefact = registry.read_frozen(FOLDER, file)
    equations = evaluations.process_model(plan.template).equations
    return artefact if artefact["equations"] == equations_digest(equations) else None


def score(version: registry.ModelVersion, plan: Plan, hands: Hands) -> None:
    hands.say(f"{plan.name}: opening its locked test set")
    with tempfile.TemporaryDirectory() as folder:
        evaluations.open_and_score(
            version,
            plan.test_set(),
            Path(folder),
            person=hands.person(ENGINEER),
            progress=lambda batch: hands.say(f"{plan.name}: replaying {batch}"),
        )
    version.refresh_from_db()


def freeze(plan: Plan, *, say: Say) -> str:
    """Learn a plan's artefact anew and ship it: file and digest list; returns the digest."""
    artefact = evaluations.calibrate(
        plan.training_set(),
        template=plan.template,
        name=plan.name,
        group_by=plan.group_by,
        progress=say,
    )
    return registry.write_frozen(FOLDER, f"{plan.name}.json", artefact)

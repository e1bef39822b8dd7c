"""Assets of the demonstration: entered, configured and trusted, each step signed by its people.

The acts and their guards are those of the product. Run again, each function does what is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from audit import api as audit
from twin_core.data import assets, configuration, trust
from twin_core.lifecycle.trust import ORDER, Level
from twin_core.models import ConfigurationFile, Equipment

Prove = Callable[[str], tuple[Any, audit.SigningProof]]  # user name -> (person, fresh proof)
Say = Callable[[str], None]
FOLDER = "twin_core/equipment/bioreactor"
ENGINEER = "priya"  # prepares and asks; signs nothing here
REASON = "set-up of the demonstration"


@dataclass(frozen=True)
class Plan:
    """One asset of the demonstration: how far its twin is trusted, and who signs what."""

    tag: str
    trust: Level
    configured_by: str
    trusted_by: tuple[str, ...]  # the steps up in turn: a code serves once in 30 s

    @property
    def files(self) -> dict[str, str]:
        kinds = ConfigurationFile.Kind
        return {
            kinds.TAG_MAP: f"{FOLDER}/tag_maps/{self.tag}.tags.yaml",
            kinds.LIMITS: f"{FOLDER}/assets/{self.tag}.asset.yaml",
            kinds.TEMPLATE: f"{FOLDER}/cho_fed_batch/template.py",
            kinds.ROLES: "twin_core/data/rights.py",
        }


PLANS = (
    Plan("BR-101", Level.ADVISE, "quinn", ("rosa",)),
    Plan("BR-201", Level.SUPERVISED_WRITE, "rosa", ("quinn", "rosa")),
)


@dataclass
class SetUp:
    """What the steps need: who proves, and where progress is told."""

    prove: Prove
    say: Say
    plans: tuple[Plan, ...] = field(default=PLANS)

    def run(self) -> list[Equipment]:
        """Bring every asset to its level of trust; returns the assets."""
        return [self.bring(plan) for plan in self.plans]

    def bring(self, plan: Plan) -> Equipment:
        """Bring one asset to its level, unless a person has lowered it: that stays."""
        equipment = self.entered(plan)
        if not equipment.configuration.exists():
            self.configure(equipment, plan)
        if equipment.record.kind == trust.LOWERED:
            self.say(f"{plan.tag}: its trust was lowered, it stays at {equipment.trust}")
            return equipment
        if found := configuration.refusals(equipment):  # changed since: for people to look at
            self.say(f"{plan.tag}: {'; '.join(found)}")
            return equipment
        signers = iter(plan.trusted_by)
        while ORDER.index(Level(equipment.trust)) < ORDER.index(plan.trust):
            equipment = self.step(equipment, next(signers))
        return equipment

    def entered(self, plan: Plan) -> Equipment:
        known = Equipment.objects.filter(tag=plan.tag).first()
        if known is not None:
            return known
        path = settings.BASE_DIR / plan.files[ConfigurationFile.Kind.LIMITS]
        asset = assets.parse(path.read_bytes(), name=path.name)
        self.say(f"entering {plan.tag}")
        return assets.enter(asset, actor=engineer(), reason=REASON)

    def configure(self, equipment: Equipment, plan: Plan) -> None:
        """Put the asset's files in force by one signature."""
        shown = audit.view_digest(configuration.view(equipment, plan.files))
        signer, proof = self.prove(plan.configured_by)
        configuration.put_in_force(
            equipment,
            plan.files,
            signer=signer,
            proof=proof,
            reason=REASON,
            shown=shown,
            prepared_by=engineer(),
        )
        self.say(f"{plan.tag}: configuration signed by {signer.printed_name}")

    def step(self, equipment: Equipment, username: str) -> Equipment:
        """Raise the asset's trust by one step."""
        shown = audit.view_digest(trust.view(equipment))
        signer, proof = self.prove(username)
        equipment = trust.raise_trust(
            equipment, signer=signer, proof=proof, reason=REASON, shown=shown, asked_by=engineer()
        )
        self.say(f"{equipment.tag}: trust is {equipment.trust}, signed by {signer.printed_name}")
        return equipment


def engineer() -> Any:
    return audit.User.objects.get(username=ENGINEER)

"""An installation at work, for tests of its pages and its interface."""

from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.utils import timezone

from audit import api as audit
from tests.twin_core import factories
from tests.web.serving import sign_in
from twin_core.insight import standing
from twin_core.models import Batch, Equipment, Recommendation


@dataclass
class Desk:
    """An installation at work; ``client`` signs a person in."""

    site: factories.Site
    batch: Batch  # on BR-201, simulated
    recorded: Batch  # on BR-101, undecided
    feed: Recommendation  # one signature
    temperature: Recommendation  # two signatures
    name: str = ""  # of the database

    def fresh(self, name: str) -> "Desk":
        """Return the same installation as it stands in a copy of its database."""
        self.site.equipment = {row.tag: row for row in Equipment.objects.all()}
        return Desk(
            self.site,
            Batch.objects.get(pk=self.batch.pk),
            Batch.objects.get(pk=self.recorded.pk),
            Recommendation.objects.get(pk=self.feed.pk),
            Recommendation.objects.get(pk=self.temperature.pk),
            name,
        )

    def client(self, who: str, **options: Any) -> Client:
        return sign_in(Client(**options), self.site.user(who))

    def signing(self, who: str, found: Recommendation, **changes: str) -> dict[str, str]:
        """Return what a person sends to sign a recommendation as it stands now."""
        person = self.site.people[who]
        found = Recommendation.objects.get(pk=found.pk)
        return {
            "password": person.password,
            "code": person.code(timezone.now()),
            "view": audit.view_digest(standing.view(found)),
            "reason": "consistent with the last two days",
            **changes,
        }


def desk() -> Desk:
    """Return an installation with two running batches and two open recommendations."""
    made = factories.site()
    simulated = factories.batch(made)
    factories.forecast(made, simulated, at_h=132)
    temperature = factories.recommendation(
        made,
        factories.forecast(made, simulated, at_h=144),
        tag="temperature.setpoint",
        expires_in_h=36,
    )
    feed = factories.recommendation(made, factories.forecast(made, simulated))
    recorded = factories.batch(made, "BR-101", until_h=144)
    factories.forecast(made, recorded, at_h=144, undecided="the last count lies outside the band")
    return Desk(made, simulated, recorded, feed, temperature)

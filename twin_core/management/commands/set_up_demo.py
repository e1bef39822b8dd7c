"""Set the demonstration up: people, assets, models in force. Run again, it does what is missing."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from twin_core.data import status
from twin_core.supervisor import assets, models, people

NAME = "set-up"


class Command(BaseCommand):
    help = "Let the demonstration's people sign configuration, trust and models into force."

    def handle(self, **options: Any) -> None:
        try:
            everybody = people.make(settings.DATA_DIR)
        except people.DemoPeopleRefused as error:
            raise CommandError(str(error)) from error
        hands = models.Hands(everybody, self.say)
        assets.SetUp(hands.prove, self.say).run()
        models.bring_models_into_force(everybody, say=self.say)
        status.tell(NAME, "ready", "the demonstration is set up")
        self.stdout.write(self.style.SUCCESS("the demonstration is set up"))

    def say(self, text: str) -> None:
        status.tell(NAME, "waiting", text)
        self.stdout.write(text)

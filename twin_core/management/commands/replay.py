"""Walk the batches of a package in time with a model version and score its forecasts."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from models_registry import api as registry
from twin_core.insight import evaluations
from twin_core.management.people import acting_person
from twin_core.management.tables import one_more, print_scores
from twin_core.science.packages import PackageError
from twin_core.science.versions import VersionRefused


class Command(BaseCommand):
    help = "Replay a batch package, never looking ahead: writes forecasts.csv and scores.json."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("package", help="a folder, or the name of a package that is shipped")
        parser.add_argument("--template", required=True, help="process model: cho_fed_batch")
        parser.add_argument("--model", required=True, help="name of the version, in any phase")
        parser.add_argument("--out", type=Path, required=True, help="folder for the results")
        parser.add_argument("--as", dest="person", help="user name; default: who runs the command")
        parser.add_argument("--asset", help="the asset, when several have a version of this name")
        only = parser.add_mutually_exclusive_group()
        only.add_argument("--leave-out", metavar="ATTRIBUTE=VALUE[,VALUE]")
        only.add_argument("--only", metavar="ATTRIBUTE=VALUE[,VALUE]")

    def handle(self, **options: Any) -> None:
        try:
            self.run(options, acting_person(options["person"]))
        except (
            evaluations.EvaluationRefused,
            registry.ArtefactRefused,
            PackageError,
            VersionRefused,
            LookupError,
        ) as error:
            raise CommandError(str(error)) from error

    def run(self, options: dict[str, Any], actor: Any) -> None:
        version = evaluations.known_version(
            options["model"], template=options["template"], asset=options["asset"]
        )
        package = evaluations.find_package(options["package"])
        package = evaluations.chosen(package, options["leave_out"], leave_out=True)
        package = evaluations.chosen(package, options["only"], leave_out=False)
        with tqdm(total=len(package.batches), unit=" batches", disable=None) as bar:
            found = evaluations.replayed(
                version, package, options["out"], actor=actor, progress=one_more(bar)
            )
        print_scores(self.stdout, found["next_sample"])
        batches = len(package.batches)
        self.stdout.write(f"replayed {batches} batches of {package.name} {package.digest}")
        self.stdout.write(self.style.SUCCESS(f"written to {options['out']}"))

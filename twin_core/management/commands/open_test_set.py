"""Open a version's locked test set, once, and store its scores beside the signed criteria."""

import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from audit import api as audit
from models_registry import api as registry
from twin_core.insight import evaluations
from twin_core.management.people import acting_person
from twin_core.management.tables import one_more, print_scores
from twin_core.science.packages import PackageError
from twin_core.science.versions import VersionRefused


class Command(BaseCommand):
    help = "Open the locked test set of a trained version and score it; counted, once a version."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="name of the version")
        parser.add_argument("--template", required=True, help="process model: cho_fed_batch")
        parser.add_argument("--package", required=True, help="the package that holds the test set")
        parser.add_argument("--as", dest="person", required=True, help="a validation engineer")
        parser.add_argument("--asset", help="the asset, when several have a version of this name")

    def handle(self, **options: Any) -> None:
        person = acting_person(options["person"])
        try:
            self.run(options, person)
        except registry.ActRefused as refused:
            audit.record_refusal(refused, actor=person)
            raise CommandError(f"{refused}. {refused.what_to_do}") from refused
        except (
            evaluations.EvaluationRefused,
            registry.ArtefactRefused,
            PackageError,
            VersionRefused,
            LookupError,
        ) as error:
            raise CommandError(str(error)) from error

    def run(self, options: dict[str, Any], person: Any) -> None:
        version = evaluations.known_version(
            options["model"], template=options["template"], asset=options["asset"]
        )
        package = evaluations.find_package(options["package"])
        with tqdm(unit=" batches", disable=None) as bar, tempfile.TemporaryDirectory() as folder:
            version, found = evaluations.open_and_score(
                version, package, Path(folder), person=person, progress=one_more(bar)
            )
        print_scores(self.stdout, found["next_sample"])
        for verdict in registry.judge(registry.read(version.card), registry.scores_of(version)):
            self.stdout.write(f"{'met    ' if verdict.is_met else 'NOT MET'}  {verdict}")
        self.stdout.write(self.style.SUCCESS(f"{version.name}: scored, {version.phase}"))

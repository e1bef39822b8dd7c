"""Learn a model version from a batch package."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from models_registry import api as registry
from twin_core.insight import evaluations
from twin_core.management.people import acting_person
from twin_core.management.tables import print_scores
from twin_core.science.packages import Package, PackageError


class Command(BaseCommand):
    help = "Calibrate a process model on a batch package; the result is a frozen model version."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """``--version`` names the model version here, in place of Django's own."""
        kwargs["conflict_handler"] = "resolve"
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("package", help="a folder, or the name of a package that is shipped")
        parser.add_argument("--template", required=True, help="process model: cho_fed_batch")
        parser.add_argument(
            "--version", required=True, dest="name", help="its name; drafted if there is none"
        )
        parser.add_argument("--as", dest="person", help="user name; default: who runs the command")
        parser.add_argument("--asset", help="the asset it is for; default: evaluation, no asset")
        parser.add_argument(
            "--leave-out", metavar="ATTRIBUTE=VALUE[,VALUE]", help="batches not to learn from"
        )
        parser.add_argument(
            "--group-by", default="batch_id", help="attribute whose values calibrate the bands"
        )
        parser.add_argument(
            "--freeze", type=Path, metavar="FOLDER", help="also write it to a folder with DIGESTS"
        )

    def handle(self, **options: Any) -> None:
        try:
            self.run(options, acting_person(options["person"]))
        except (
            evaluations.EvaluationRefused,
            registry.CardRefused,
            PackageError,
            LookupError,
            ValueError,
        ) as error:
            raise CommandError(str(error)) from error
        except registry.ActRefused as refused:
            raise CommandError(f"{refused}. {refused.what_to_do}") from refused

    def run(self, options: dict[str, Any], actor: Any) -> None:
        package = evaluations.find_package(options["package"])
        package = evaluations.chosen(package, options["leave_out"], leave_out=True)
        version = evaluations.version_to_train(
            options["name"], template=options["template"], asset=options["asset"], author=actor
        )
        artefact = self.learn(package, options)
        version = evaluations.attach(version, artefact, package, actor=actor)
        if options["freeze"]:
            registry.write_frozen(options["freeze"], f"{version.name}.json", artefact)
        print_scores(self.stdout, artefact["scores"])
        batches = len(package.batches)
        self.stdout.write(f"learned from {batches} batches of {package.name} {package.digest}")
        self.stdout.write(
            self.style.SUCCESS(f"{version.name} is {version.phase}: {version.artefact_digest}")
        )

    def learn(self, package: Package, options: dict[str, Any]) -> dict[str, Any]:
        with tqdm(bar_format="{desc}, {elapsed}", disable=None) as bar:
            return evaluations.calibrate(
                package,
                template=options["template"],
                name=options["name"],
                group_by=options["group_by"],
                progress=bar.set_description_str,
            )

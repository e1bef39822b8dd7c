"""Check every model version against its record and every artefact against its digest."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from models_registry import artifacts, standing
from models_registry.models import ModelVersion


class Command(BaseCommand):
    help = "Load every artefact by its signed digest and name each that does not fit."

    def handle(self, **options: Any) -> None:
        rows = ModelVersion.objects.exclude(artefact_digest="").select_related("model", "record")
        flaws = []
        for version in tqdm(rows, total=rows.count(), unit=" versions", disable=None):
            try:
                standing.load(version)
            except artifacts.ArtefactRefused as refused:  # recorded by load
                flaws.append(f"{version.name}: {refused}")
        for flaw in flaws:
            self.stdout.write(self.style.ERROR(flaw))
        if flaws:
            raise CommandError(f"{len(flaws)} of {rows.count()} artefacts must not be used")
        self.stdout.write(self.style.SUCCESS(f"{rows.count()} artefacts fit their records"))

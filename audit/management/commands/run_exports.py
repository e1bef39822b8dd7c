"""Work on the exports that were asked for, without the queue."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from tqdm import tqdm

from audit.exports import jobs
from audit.models import ExportJob


class Command(BaseCommand):
    help = "Work on every export that was asked for, until none is left; safe beside the workers."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=jobs.SLICE, help="of one slice")

    def handle(self, **options: Any) -> None:
        while waiting := jobs.due():
            for identity, _ in waiting:
                self.work(identity, options["seconds"])

    def work(self, identity: Any, seconds: float) -> None:
        with tqdm(unit=" lines", disable=None, desc=str(identity)[-8:]) as bar:
            while jobs.work_on(identity, seconds=seconds):
                self.show(bar, identity)
                time.sleep(0.05)  # another process may be at it
        job = ExportJob.objects.get(pk=identity)
        self.stdout.write(f"{job}: {job.get_state_display().lower()} {job.error}".rstrip())

    def show(self, bar: Any, identity: Any) -> None:
        job = ExportJob.objects.get(pk=identity)
        bar.total = job.total
        bar.update(job.done - bar.n)

"""Run an IQ, OQ or PQ protocol on this installation."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit import api as audit
from validation import runner
from validation.protocols import Protocol, ProtocolInvalid, StepResult
from validation.requirements import RequirementInvalid


class Command(BaseCommand):
    help = "Run a protocol step by step, record its results and write the hand-over files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="for example OQ-AUD")
        parser.add_argument("--dry-run", action="store_true", help="list the steps, run nothing")
        parser.add_argument("--as", dest="username", help="who executes: a validation engineer")
        parser.add_argument("--out", type=Path, help="a new folder for the hand-over files")

    def handle(self, *, name: str, dry_run: bool, username: str | None, out: Path | None, **_: Any):
        protocol = self._protocol(name)
        self.stdout.write(f"{protocol.name} {protocol.title}, build {audit.software()}")
        if dry_run:
            return self._list(protocol)
        stamp = timezone.now().strftime("%Y%m%dT%H%M%S%fZ")
        folder = out or settings.DATA_DIR / "protocols" / f"{protocol.name}-{stamp}"
        if folder.exists():
            raise CommandError(f"{folder} exists; name a new folder: two runs are never mixed")
        told = runner.execute(protocol, executor=executor(username), out=folder, watch=self._tell)
        self.stdout.write(f"hand-over files in {told['folder']}, record {told['record']}")
        if told["outcome"] != "passed":
            raise CommandError(f"{protocol.name} failed")
        return self.stdout.write(self.style.SUCCESS(f"{protocol.name} passed"))

    def _protocol(self, name: str) -> Protocol:
        protocols = runner.installed()
        if name not in protocols:
            raise CommandError(f"there is no protocol {name}; choose from {', '.join(protocols)}")
        try:
            runner.check(protocols[name])
        except (ProtocolInvalid, RequirementInvalid) as error:
            raise CommandError(str(error)) from None
        return protocols[name]

    def _list(self, protocol: Protocol) -> None:
        for step in protocol.steps:
            self.stdout.write(f"{step.id}  {step.risk:<6}  {step.title}")
            self.stdout.write(f"    verifies {', '.join(step.verifies)}")

    def _tell(self, result: StepResult) -> None:
        style = self.style.SUCCESS if result.outcome == "passed" else self.style.ERROR
        self.stdout.write(style(f"{result.step.id}  {result.outcome:<7}  {result.step.title}"))
        for seen in result.observations:
            mark = " " if seen.passed else "!"
            self.stdout.write(f"  {mark} {seen.what}")
            self.stdout.write(f"      expected {seen.expected}\n      actual   {seen.actual}")
        if result.error:
            self.stdout.write(f"  ! {result.error}")


def executor(username: str | None) -> Any:
    """Return who executes: the named validation engineer, else the operating system's user.

    A person without the role is refused, and the refusal is recorded.
    """
    if username is None:
        return audit.os_user_actor()
    person = audit.User.objects.filter(username=username, is_active=True).first()
    if person is not None and audit.Role.VALIDATION_ENGINEER in person.roles():
        return person
    reason = f"{username} is no active person with the role of validation engineer"
    audit.append_alone(
        stream="people",
        kind="validation.run.refused",
        actor=audit.os_user_actor(),
        reason=reason,
        data={"username": username},
    )
    raise CommandError(reason)

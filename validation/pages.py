"""What the templates of validation show: contexts as typed data, without rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.pages import SignatureLine


@dataclass(frozen=True)
class ProtocolRow:
    """One protocol and its last run; ``state`` is not_run, passed, failed or incomplete."""

    name: str
    title: str
    steps: int
    state: str
    last_run_at: datetime | None = None
    last_run_href: str = ""
    executor: str = ""


@dataclass(frozen=True)
class RunRow:
    href: str
    protocol: str
    state: str
    started_at: datetime
    executor: str
    passed: int
    total: int
    digest: str


@dataclass(frozen=True)
class EvidencePage:
    """``validation/evidence.html``."""

    protocols: Sequence[ProtocolRow]
    runs: Sequence[RunRow]
    requirements: int = 0
    covered: int = 0
    matrix_href: str = ""


@dataclass(frozen=True)
class StepResult:
    id: str
    title: str
    state: str  # passed | failed | not_run
    verifies: Sequence[str]
    risk: str
    instructions: Sequence[str]
    checks: Sequence[tuple[str, str, str, bool]]  # what, expected, actual, equal
    attachments: Sequence[tuple[str, str, str]] = ()  # name, digest, address


@dataclass(frozen=True)
class RunPage:
    """``validation/run.html``: one executed protocol, printable."""

    protocol: str
    title: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    executor: str
    machine: Sequence[tuple[str, str]]
    steps: Sequence[StepResult]
    digest: str
    record_href: str = ""
    download_href: str = ""
    signatures: Sequence[SignatureLine] = ()

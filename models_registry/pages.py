"""What the templates of the registry show: contexts as typed data, without rules.

``href`` fields hold addresses; an empty one means that there is nothing to go to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.pages import SignatureLine, SigningDialog


@dataclass(frozen=True)
class VersionRow:
    href: str
    name: str
    template: str
    phase: str
    since: datetime
    digest: str
    impact: str  # low | medium | high
    score: str = ""  # the leading score in words
    label: str = ""  # "simulated" where it was trained on a simulated plant
    used_by: str = ""


@dataclass(frozen=True)
class ModelsPage:
    """``models_registry/models.html``."""

    rows: Sequence[VersionRow]
    as_of: datetime | None = None


@dataclass(frozen=True)
class PhaseStep:
    """One phase of the lifecycle; ``at`` is None until it is reached."""

    phase: str
    at: datetime | None = None
    signed_by: str = ""
    reason: str = ""
    href: str = ""
    is_current: bool = False


@dataclass(frozen=True)
class ScoreRow:
    """One score beside its naive rivals, all in ``unit``; the criterion tells the better way."""

    words: str
    unit: str
    reached: str
    persistence: str = ""
    straight_line: str = ""
    criterion: str = ""
    is_met: bool | None = None


@dataclass(frozen=True)
class VersionPage:
    """``models_registry/version.html``. ``dialogs`` has the act that is next, if any."""

    name: str
    template: str
    phase: str
    impact: str
    intended_use: str
    steps: Sequence[PhaseStep]
    scores: Sequence[ScoreRow]
    digests: Sequence[tuple[str, str, str]]  # what, digest, address
    input_space: Sequence[tuple[str, str, str]] = ()  # what, range, unit
    assumptions: Sequence[str] = ()
    parameters: Sequence[tuple[str, str, str, str]] = ()  # name, value, unit, source
    signatures: Sequence[SignatureLine] = ()
    dialogs: Sequence[SigningDialog] = ()
    next_act: str = ""  # label of the button for dialogs[0]
    may_not_act: str = ""
    label: str = ""
    trail_href: str = ""

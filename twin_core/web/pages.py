"""What the templates of the review desk show: contexts as typed data, without rules.

Views fill these and hand them as ``page`` to the template that each class names. ``href`` fields
hold addresses; an empty one means that there is nothing to go to. All times are aware and of the
wall clock; ``*_h`` are hours of process time since inoculation. Values are numbers or their text
in the ledger, with the unit beside. Charts are dictionaries as docs/design/charts.md says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from audit.pages import Pages, SignatureLine, SigningDialog

Chart = Mapping[str, Any]
Value = str | float | int | None


@dataclass(frozen=True)
class QueueRow:
    """One thing that waits. ``risk`` is low, medium or high; ``expires_at`` by the wall clock."""

    href: str
    title: str
    batch: str
    batch_href: str
    since: datetime
    risk: str
    state: str
    waits_for: str  # in words: "your review", "a second signature"
    expires_at: datetime | None = None
    expires_h: float | None = None
    effect: str = ""  # the expected effect in one line
    note: str = ""  # for instance: someone else is reading it


@dataclass(frozen=True)
class BatchTile:
    href: str
    name: str
    unit: str
    state: str
    verdict: str  # decided | undecided
    process_h: float | None
    planned_h: float | None
    trust: str
    label: str = ""  # "recorded culture", "simulated plant"
    readings: Sequence[tuple[str, Value, str]] = ()  # tag in words, value, unit
    waiting: int = 0


@dataclass(frozen=True)
class DeskPage:
    """``web/desk.html``."""

    mine: Sequence[QueueRow]
    others: Sequence[QueueRow] = ()
    batches: Sequence[BatchTile] = ()
    recent: Sequence[QueueRow] = ()  # decided lately
    live_href: str = ""  # events that say that a batch has changed
    refresh_href: str = ""  # these lists again, asked for in the background


@dataclass(frozen=True)
class BatchesPage:
    """``web/batches.html``. ``start`` is the dialog that starts a batch, None without the role."""

    running: Sequence[BatchTile]
    ended: Sequence[BatchTile] = ()
    start: SigningDialog | None = None
    pages: Pages | None = None


@dataclass(frozen=True)
class TagRow:
    """The last reading of a tag. ``quality``: good, uncertain, bad or stale."""

    tag: str
    words: str
    value: Value
    unit: str
    taken_h: float | None
    received_at: datetime | None
    quality: str
    source: str
    href: str = ""


@dataclass(frozen=True)
class LabRow:
    """A laboratory value; ``replaces`` is the old value where it was corrected."""

    words: str
    value: Value
    unit: str
    sampled_h: float
    received_h: float
    entered_by: str
    href: str
    replaces: Value = None
    reason: str = ""
    correct_href: str = ""


@dataclass(frozen=True)
class EventRow:
    time_h: float
    words: str
    href: str = ""


@dataclass(frozen=True)
class QuarantineRow:
    words: str
    value: str
    unit: str
    taken_h: float | None
    reason: str
    received_at: datetime
    state: str  # quarantined | released
    href: str = ""
    release_href: str = ""


@dataclass(frozen=True)
class StateRow:
    """One state as the twin sees it now; a latent one has the widest band and says why."""

    words: str
    unit: str
    mean: Value
    low: Value
    high: Value
    is_decided: bool
    is_latent: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Yesterday:
    """What was forecast a day of process time ago, and what came."""

    words: str
    issued_h: float
    time_h: float
    mean: Value
    low: Value
    high: Value
    came: Value
    unit: str
    is_inside: bool


@dataclass(frozen=True)
class BatchPage:
    """``web/batch.html``. With ``live_href`` the page follows the batch by itself."""

    name: str
    unit: str
    state: str
    label: str
    trust: str
    product: str
    started_at: datetime | None
    process_h: float | None
    planned_h: float | None
    speed: float | None  # process hours an hour of wall time; 1 when in real time
    verdict: str  # decided | undecided
    undecided: Sequence[str]  # why, in words
    charts: Sequence[Chart]
    recommendations: Sequence[QueueRow] = ()
    tags: Sequence[TagRow] = ()
    laboratory: Sequence[LabRow] = ()
    events: Sequence[EventRow] = ()
    quarantine: Sequence[QuarantineRow] = ()
    yesterday: Sequence[Yesterday] = ()
    model: str = ""
    model_href: str = ""
    trail_href: str = ""
    csv_href: str = ""
    dialogs: Sequence[SigningDialog] = ()  # ids: lab, close, stop
    can_enter: bool = False
    can_close: bool = False
    can_stop: bool = False
    is_live: bool = False
    states: Sequence[StateRow] = ()
    problems: Sequence[str] = ()  # files and segments that are not what was signed or sealed
    live_href: str = ""  # events that say that the batch has changed
    charts_href: str = ""  # all charts as JSON
    refresh_href: str = ""  # this page again, asked for in the background


@dataclass(frozen=True)
class Effect:
    """One quantity at the end of the batch, with the advice and without."""

    words: str
    unit: str
    advised: Value
    advised_low: Value
    advised_high: Value
    untouched: Value
    untouched_low: Value
    untouched_high: Value
    limit: str = ""
    is_met: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """One assumption of the model, checked on this very input."""

    words: str
    state: str  # holds | broken | not_checked
    measured: str = ""
    bound: str = ""


@dataclass(frozen=True)
class InputLink:
    words: str
    detail: str
    digest: str
    href: str


@dataclass(frozen=True)
class Move:
    """What is advised: one set point, in ``unit``; ``now`` is None where there is none yet."""

    words: str
    unit: str
    now: Value
    advised: Value
    at_h: float | None = None
    allowed: str = ""  # "35.0 to 37.5"


@dataclass(frozen=True)
class StepRow:
    """One step of the recommendation's life for the timeline."""

    state: str
    words: str
    at: datetime
    who: str = ""
    reason: str = ""
    href: str = ""


@dataclass(frozen=True)
class QuestionRow:
    """A question about a recommendation; ``answer`` is empty while it is open."""

    asked_by: str
    question: str
    answered_by: str = ""
    answer: str = ""


@dataclass(frozen=True)
class RecommendationPage:
    """``web/recommendation.html`` and, for paper, ``web/decision.html``."""

    id: str
    title: str
    state: str
    risk: str
    batch: str
    batch_href: str
    why: Sequence[str]
    moves: Sequence[Move]
    effects: Sequence[Effect]
    confidence: str
    issued_h: float
    issued_at: datetime
    expires_h: float | None
    expires_at: datetime | None
    chart: Chart | None
    verdicts: Sequence[Verdict]
    inputs: Sequence[InputLink]
    model: str
    model_href: str
    model_digest: str
    view_digest: str
    label: str = ""
    needs: str = ""  # "One QA reviewer signs." or "Two people sign: ..."
    may_not_sign: str = ""  # why this person may not; empty when she may
    dialogs: Sequence[SigningDialog] = ()  # ids: return, reject, sign, answer
    signatures: Sequence[SignatureLine] = ()
    steps: Sequence[StepRow] = ()
    alternatives: Sequence[tuple[str, str]] = ()  # what, why not
    capsule_digest: str = ""
    capsule_href: str = ""
    decision_href: str = ""
    record_href: str = ""
    notice: str = ""  # someone else has decided meanwhile
    samples: Sequence[InputLink] = ()  # every value behind it: results, data segments
    questions: Sequence[QuestionRow] = ()
    live_href: str = ""  # events that say that the batch has changed
    moved_href: str = ""  # says whether the item has moved since it was shown


@dataclass(frozen=True)
class HealthTile:
    """``state`` is a word of states.py; ``words`` says what the value means and what to do."""

    name: str
    state: str
    value: str
    words: str
    since: datetime | None = None
    facts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class ParkedRow:
    """Work that failed too often, kept with its input for a person."""

    key: str
    name: str
    content: str
    error: str
    since: datetime
    attempts: int
    retry_href: str = ""


@dataclass(frozen=True)
class HealthPage:
    """``web/health.html``."""

    tiles: Sequence[HealthTile]
    checked_at: datetime
    processes: Sequence[Any] = ()  # status.ProcessState
    refresh_href: str = ""
    parked: Sequence[ParkedRow] = ()


@dataclass(frozen=True)
class ActPage:
    """``web/act.html``: one act that needs a reason, on a page of its own."""

    title: str
    statement: str
    form: Any
    submit_label: str
    back_href: str
    facts: Sequence[tuple[str, str]] = ()

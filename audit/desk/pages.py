"""What the templates of the auditor's desk show: contexts as typed data, without rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.forms import BaseForm

from audit.pages import Change, Relative, SigningDialog


@dataclass(frozen=True)
class Box:
    """A record in the picture of its lineage: a box with two lines, at a place in pixels."""

    x: int
    y: int
    words: str  # whole; what is drawn is cut
    line: str
    below: str
    href: str
    is_origin: bool = False
    is_missing: bool = False
    is_trusted: bool = True


@dataclass(frozen=True)
class Drawing:
    """The picture as a whole: its size, boxes in reading order, and the paths between them."""

    width: int
    height: int
    boxes: Sequence[Box]
    paths: Sequence[str]
    headings: Sequence[tuple[int, str]] = ()  # x, words
    more: Sequence[tuple[int, int, str]] = ()  # x, y, what was left out in words


@dataclass(frozen=True)
class Layer:
    """The records of one step, for the list beside the picture."""

    words: str
    relatives: Sequence[Relative]
    left_out: int = 0


@dataclass(frozen=True)
class LineagePage:
    """``audit/lineage.html``. ``more_up_href`` and ``more_down_href`` are empty at the ends."""

    words: str
    record_href: str
    drawing: Drawing
    layers: Sequence[Layer]
    sharing: Sequence[Relative]  # other records that cite the same contents
    more_up_href: str = ""
    more_down_href: str = ""
    less_href: str = ""


@dataclass(frozen=True)
class ChangeRow:
    """A change since the moment: when, by whom, in words, and which members it moved."""

    recorded_at: datetime
    actor: dict[str, str]
    words: str
    href: str
    rows: Sequence[Change]


@dataclass(frozen=True)
class AsOfPage:
    """``audit/as_of.html``. ``rows`` has "then" as old and "now" as new."""

    form: BaseForm
    type_words: str
    name: str
    subject_type: str
    subject_id: str
    moment: datetime | None
    now: datetime
    existed: bool = False
    exists: bool = False
    rows: Sequence[Change] = ()
    then_words: str = ""
    then_href: str = ""  # the record that made it so
    then_at: datetime | None = None
    since: Sequence[ChangeRow] = ()
    left_out: int = 0  # changes that are not listed
    unjoined: Sequence[Relative] = ()
    altered: Sequence[Relative] = ()  # records about it that are not to be trusted
    is_cut: bool = False  # the records of its beginning are not here
    moments: Sequence[tuple[str, datetime, str]] = ()  # address, when, words
    trail_href: str = ""


@dataclass(frozen=True)
class EntryRow:
    """A ranked entry of a review: what happened, which rules it met, what was said of it."""

    id: str
    href: str
    recorded_at: datetime
    actor: dict[str, str]
    words: str
    stream: str
    reason: str
    score: int
    rules: Sequence[tuple[str, str]]  # title, why
    verdict: str = ""
    said: str = ""
    is_trusted: bool = True
    form: BaseForm | None = None
    judge_href: str = ""


@dataclass(frozen=True)
class LeftOut:
    """Entries that the review does not show: their kind, how many, and why."""

    kind: str
    count: int


@dataclass(frozen=True)
class ReviewPage:
    """``audit/review.html``."""

    title: str
    state: str
    reviewer: str
    scope_words: str
    since: datetime
    until: datetime
    rules_digest: str
    threshold: int
    entries: Sequence[EntryRow]
    judged: int
    own_acts: int
    left_out: Sequence[LeftOut]
    seen: int  # records of the period that were ranked
    is_mine: bool
    signature_record_href: str = ""
    trail_href: str = ""
    remainder_form: BaseForm | None = None
    remainder_href: str = ""
    remainders: Sequence[tuple[str, str]] = ()  # words, address
    dialogs: Sequence[SigningDialog] = ()
    signatures: Sequence[object] = ()
    next_href: str = ""  # the first entry not judged yet


@dataclass(frozen=True)
class ReviewRow:
    """A line of the list of reviews."""

    href: str
    words: str
    since: datetime
    until: datetime
    reviewer: str
    state: str
    judged: int
    entries: int
    findings: int
    own_acts: int


@dataclass(frozen=True)
class Gap:
    """A span of time that no signed review covers."""

    since: datetime
    until: datetime
    records: str  # how many, exactly or about
    open_href: str


@dataclass(frozen=True)
class ReviewsPage:
    """``audit/reviews.html``. ``form`` is for people who may open a review."""

    rows: Sequence[ReviewRow]
    gaps: Sequence[Gap]
    rules: Sequence[tuple[str, int, str]]  # title, weight, why
    rules_digest: str
    form: BaseForm | None = None
    last_reviewed: datetime | None = None

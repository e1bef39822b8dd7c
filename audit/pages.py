"""What the templates of the record store show: contexts as typed data, without rules.

Views fill these and hand them to the template of the same name. ``href`` fields hold addresses;
an empty one means that there is nothing to go to. All times are aware.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.forms import BaseForm

Pieces = Sequence[tuple[str, bool]]  # text, whether it was searched for


@dataclass(frozen=True)
class Pages:
    """Keyset paging: no page numbers, as records arrive while one reads."""

    shown: int
    what: str = "records"
    total: int | str | None = None  # text where more fit than are counted
    newer_href: str = ""
    older_href: str = ""


@dataclass(frozen=True)
class Chip:
    """One filter in force; ``href`` is the same list without it."""

    label: str
    href: str


@dataclass(frozen=True)
class SigningDialog:
    """``audit/_sign_dialog.html``: one act to sign, with all components asked for again.

    ``form`` has meaning or reason_code, reason, password and code, and hidden what the act needs.
    ``code_ready_at`` is when the next one-time code will be accepted, None when one is at once.
    """

    id: str
    title: str
    action_href: str
    statement: str
    view_digest: str  # empty where nothing is signed
    printed_name: str
    form: BaseForm
    submit_label: str = "Sign"
    is_danger: bool = False
    needs_signature: bool = True
    code_ready_at: datetime | None = None
    notice: str = ""  # for instance: someone else has signed meanwhile
    is_open: bool = False


@dataclass(frozen=True)
class TrailRow:
    """One record in words. ``sequence`` is None until the sealer has placed it."""

    href: str
    recorded_at: datetime
    sequence: int | None
    actor: Mapping[str, str]
    words: str
    kind: str
    stream: str
    reason: str
    leaf: str
    is_signed: bool = False
    is_trusted: bool = True  # false: the stored text is not what its leaf was made of
    words_marked: Pieces = ()  # the words again, in pieces that were searched for or not
    reason_marked: Pieces = ()
    excerpt_of: str = ""  # where a word stands that is in neither
    excerpt: Pieces = ()


@dataclass(frozen=True)
class TrailPage:
    """``audit/trail.html``. ``form`` has text, reason, person, kind, stream, subject_type, subject,
    since and until, and what may be picked: kinds, streams, subjects.
    """

    form: BaseForm
    rows: Sequence[TrailRow]
    pages: Pages
    chips: Sequence[Chip] = ()
    clear_href: str = ""
    export: SigningDialog | None = None  # for people who may export
    exports_href: str = ""  # where theirs are
    alarm: str = ""  # what is wrong with the guards of the record store
    alarm_href: str = ""
    outside: Any = None  # how the evidence outside stands: audit.outside.standing.Standing
    notice: str = ""  # while the index is far behind
    as_of_href: str = ""  # the state of the subject asked for, at any moment
    scope: Sequence[str] = ()  # the streams that the person is limited to


@dataclass(frozen=True)
class Change:
    """One field of a subject, as it was and as it became, both as text."""

    name: str
    old: str
    new: str
    is_same: bool = False
    how: str = "changed"  # added | removed | changed | same
    is_long: bool = False  # shown folded


@dataclass(frozen=True)
class SubjectChanges:
    subject_type: str
    subject_id: str
    rows: Sequence[Change]
    href: str = ""
    as_of_href: str = ""
    anchor: str = ""
    act: str = "changed"  # entered | changed | taken away

    @property
    def unchanged(self) -> int:
        return sum(row.is_same for row in self.rows)


@dataclass(frozen=True)
class ChangeSummary:
    """One line of the summary of a record that changed many subjects."""

    anchor: str
    subject_type: str
    subject_id: str
    act: str
    names: Sequence[str]
    unchanged: int


@dataclass(frozen=True)
class Relative:
    """A parent or child in the chain of evidence; a parent cited but not found has no ``href``."""

    leaf: str
    words: str
    recorded_at: datetime | None = None
    href: str = ""
    is_trusted: bool = True
    is_hidden: bool = False  # outside the scope of who looks


@dataclass(frozen=True)
class SignatureLine:
    """A signature as 21 CFR 11.50 asks for it: printed name, time, meaning."""

    printed_name: str
    meaning: str
    signed_at: datetime
    reason: str = ""
    view_digest: str = ""
    href: str = ""
    is_valid: bool = True
    problem: str = ""  # why the signature no longer covers what is shown


@dataclass(frozen=True)
class Proof:
    """The inclusion proof as checked when the page was made."""

    state: str  # proved | waiting | not_proved
    words: str
    block: int | None = None
    tree_size: int | None = None
    root: str = ""
    hashes: Sequence[str] = ()
    checkpoint_at: datetime | None = None


@dataclass(frozen=True)
class RecordPage:
    """``audit/record.html``."""

    id: str
    words: str
    kind: str
    stream: str
    stream_href: str
    actor: Mapping[str, str]
    occurred_at: datetime
    recorded_at: datetime
    sequence: int | None
    transaction: str
    leaf: str
    raw: str
    proof: Proof
    reason: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    changes: Sequence[SubjectChanges] = ()
    data: Sequence[tuple[str, str]] = ()  # path in words, value as text
    parents: Sequence[Relative] = ()
    children: Sequence[Relative] = ()
    blobs: Sequence[tuple[str, str]] = ()  # digest, address
    signatures: Sequence[SignatureLine] = ()
    download_href: str = ""
    is_trusted: bool = True
    summary: Sequence[ChangeSummary] = ()
    lineage_href: str = ""


@dataclass(frozen=True)
class PersonRow:
    printed_name: str
    username: str
    roles: Sequence[str]
    state: str  # active | locked | inactive
    since: datetime
    record_href: str = ""


@dataclass(frozen=True)
class PeoplePage:
    """``audit/people.html``. ``form`` has ``as_of``; the rows are as they stood then."""

    form: BaseForm
    rows: Sequence[PersonRow]
    as_of: datetime
    is_now: bool
    trail_href: str = ""

"""What the pages of a person and of the own account show: typed data, without rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.forms import BaseForm

from audit.models import OpenSession, Record, User
from audit.pages import SigningDialog


@dataclass(frozen=True)
class PersonPage:
    """``audit/person.html``. Forms are for administrators of others (``may_change``)."""

    person: User
    roles: Sequence[tuple[str, str]]  # role, label
    may_change: bool
    is_self: bool
    grant: BaseForm
    revoke: BaseForm | None
    activity: BaseForm
    history: Sequence[tuple[str, Record]]  # in words, and the record itself
    email: str = ""  # as people read it, or that it was erased
    erase: SigningDialog | None = None  # where there is personal text left to destroy
    scopes: Sequence[str] = ()  # the streams the person is limited to; none: every stream
    scope: BaseForm | None = None


@dataclass(frozen=True)
class AccountPage:
    """``audit/account.html``. ``here`` is the key of the session that looks."""

    person: User
    roles: Sequence[str]
    sessions: Sequence[OpenSession]
    here: str
    next_code_at: datetime
    now: datetime
    form: BaseForm

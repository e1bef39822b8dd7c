"""An outage as two records: one when it is noticed, one when it is over; never one a second."""

from typing import Any

from django.utils import timezone

from audit import canonical, ledger
from audit.models import Record

STREAM = "ledger/outside"
_LOOKED_AT = 200  # latest records among which the state of one outage is found


class Outage:
    """One thing that may fail, ``what``; its state is in the ledger and outlives the process."""

    def __init__(self, *, begun: str, ended: str, what: str = "") -> None:
        self.begun, self.ended, self.what = begun, ended, what
        self.since = self._open_since()

    def _open_since(self) -> Record | None:
        told = Record.objects.filter(stream=STREAM, kind__in=(self.begun, self.ended))
        for record in told.order_by("-id")[:_LOOKED_AT]:
            if ledger.content(record)["data"].get("what", "") == self.what:
                return record if record.kind == self.begun else None
        return None

    @property
    def is_open(self) -> bool:
        return self.since is not None

    def begin(self, reason: str, **facts: Any) -> None:
        """Record that it began, unless that stands in the ledger already."""
        if self.since is None:
            self.since = self._tell(self.begun, reason, facts)

    def end(self, reason: str, **facts: Any) -> None:
        """Record that it is over and how long it lasted, if it had begun."""
        if self.since is not None:
            lasted = (timezone.now() - self.since.recorded_at).total_seconds()
            facts["lasted"] = canonical.number(round(max(lasted, 0.0), 1), "s")
            self._tell(self.ended, reason, facts)
            self.since = None

    def _tell(self, kind: str, reason: str, facts: dict[str, Any]) -> Record:
        data = {"what": self.what, **facts} if self.what else facts
        return ledger.append_alone(stream=STREAM, kind=kind, reason=reason, data=data)

"""Acts on months that are refused, each with its record."""

from typing import Any

from audit import ledger
from audit.refusals import Refused

STREAM = "ledger"
KIND = "audit.retention.refused"


class RetentionRefused(Refused):
    """A month stays as it is; ``reasons`` are all that stands against the act."""

    act = "audit.retention"
    what_to_do = "Remove what the reasons name, then try again."

    def __init__(self, month: str, wanted: str, reasons: list[str], **options: Any) -> None:
        super().__init__("; ".join(reasons), stream=STREAM, **options)
        self.reasons = reasons
        self.data = {"month": month, "wanted": wanted, "reasons": reasons}


def record(refusal: RetentionRefused, *, actor: Any = None) -> None:
    """Record a refusal in a transaction of its own, once."""
    if not refusal.is_recorded:
        ledger.append_alone(
            stream=STREAM, kind=KIND, actor=actor, reason=refusal.reason, data=refusal.data
        )
        refusal.is_recorded = True

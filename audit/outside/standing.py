"""How the evidence outside stands now, for pages and for whoever must know."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from audit import checkpoint, ledger
from audit.models import Checkpoint, Record, Token
from audit.outside import policy as policies
from audit.outside.alarms import STREAM
from audit.outside.deliveries import FAILED, RESUMED
from audit.outside.publishing import MET, UNMET, newest_note
from audit.outside.timestamps import FAILED as TOKEN_FAILED
from audit.outside.timestamps import RESUMED as TOKEN_RESUMED

SPOKEN = {
    UNMET: "Witnesses",
    TOKEN_FAILED: "Time authority",
    FAILED: "Delivery",
}
_LOOKED_AT = 200  # latest records of outages


@dataclass(frozen=True, slots=True)
class Standing:
    """Sizes count records; ``troubles`` says in words what is not as it should be."""

    signed: int
    published: int
    met: int  # witnesses that cosigned the published checkpoint
    quorum: int  # 0: none are asked for
    witnesses: int
    token_size: int | None
    token_at: datetime | None
    has_authority: bool
    troubles: tuple[str, ...]

    @property
    def state(self) -> str:
        """The state that a badge shows: of a quorum, or that none is asked for."""
        if self.troubles:
            return "failed"
        return "running" if self.quorum else "stopped"

    def facts(self) -> list[tuple[str, str]]:
        """Return (name, value) of each line that a person is shown."""
        asked = f"{self.met} cosigned, {self.quorum} of {self.witnesses} asked for"
        return [
            ("Published", f"{self.published} of {self.signed} records"),
            ("Witnesses", asked if self.quorum else "not configured"),
            ("Time authority", self._token()),
        ]

    def _token(self) -> str:
        if self.token_at is None:
            return "no token yet" if self.has_authority else "not configured"
        return f"{self.token_size} records at {self.token_at:%Y-%m-%d %H:%M:%S} UTC"


def standing() -> Standing:
    """Return how the evidence outside stands."""
    troubles = list(open_outages())
    try:
        policy = policies.read(settings.WITNESSES_FILE)
    except policies.PolicyInvalid as error:
        policy, troubles = None, [*troubles, str(error)]
    note, newest = newest_note(policy), Checkpoint.objects.order_by("-tree_size").first()
    token = Token.objects.order_by("-id").first()
    return Standing(
        signed=newest.tree_size if newest else 0,
        published=checkpoint.parse(note).tree_size if note else 0,
        met=len(policy.cosigners(note)) if policy and note else 0,
        quorum=policy.quorum if policy else 0,
        witnesses=len(policy.witnesses) if policy else 0,
        token_size=token.tree_size if token else None,
        token_at=token.stamped_at if token else None,
        has_authority=bool(settings.TIMESTAMP_URL),
        troubles=tuple(troubles),
    )


def is_unmet() -> bool:
    """Whether an outage of the witnesses is recorded and not over."""
    latest = Record.objects.filter(stream=STREAM, kind__in=(UNMET, MET)).order_by("-id").first()
    return latest is not None and latest.kind == UNMET


def open_outages() -> list[str]:
    """Return, in words, every outage that is recorded and not over."""
    pairs = {MET: UNMET, RESUMED: FAILED, TOKEN_RESUMED: TOKEN_FAILED}
    told = Record.objects.filter(stream=STREAM, kind__in=[*pairs, *pairs.values()])
    seen: set[tuple[str, str]] = set()
    found = []
    for record in told.order_by("-id")[:_LOOKED_AT]:
        content = ledger.content(record)
        outage = (pairs.get(record.kind, record.kind), content["data"].get("what", ""))
        if outage not in seen and record.kind not in pairs:
            found.append(f"{outage[1] or SPOKEN[record.kind]}: {content['reason']}")
        seen.add(outage)
    return found

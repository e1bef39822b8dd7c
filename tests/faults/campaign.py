"""How a test injects an entry of the fault catalogue: often enough, and with what it saw judged.

@pytest.mark.fault("STO-06")
def test_...(campaign):
    for run in range(campaign.runs): ...
    campaign.saw(chain_forks=0, lost_acked=0)
"""

from dataclasses import dataclass
from pathlib import Path

from audit.software import software
from validation import faults

ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Campaign:
    """One entry under injection. ``runs`` is how often: few in the suite, all in a campaign."""

    fault: faults.Fault
    is_full: bool
    share: float = 1.0  # of the full runs, for a campaign that has less time
    judged: bool = False

    @property
    def runs(self) -> int:
        wanted = self.fault.full * self.share if self.is_full else self.fault.short
        return max(1, round(wanted))

    def saw(self, runs: int | None = None, **seen: float) -> None:
        """Judge what was measured over all runs; in a campaign it is kept for the table."""
        self.judged = True
        if self.is_full:
            runs = self.runs if runs is None else runs
            faults.store(ROOT, self.fault, runs=runs, seen=seen, build=software())
        broken = self.fault.broken(seen)
        assert not broken, f"{self.fault.id}: {'; '.join(broken)}"


def of(mark_ids: list[str], *, is_full: bool, share: float) -> Campaign:
    """Return the campaign of the one entry that a test names."""
    [only] = mark_ids
    return Campaign(faults.entry(ROOT, only), is_full, share)

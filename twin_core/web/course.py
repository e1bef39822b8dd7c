"""What pages show of a batch, gathered once for each: samples, results, forecast, limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from audit import api as audit
from twin_core.data import assets, clock, configuration, laboratory, limits
from twin_core.insight import forecasts
from twin_core.models import Batch, Equipment, Forecast, LabResult
from twin_core.science.tag_map import TagMap
from twin_core.web import pace, series
from twin_core.web.words import LABELS

OK = "ok"


@dataclass
class Course:
    """One batch as it stands now. Everything is read when it is first asked for."""

    batch: Batch
    problems: list[str] = field(default_factory=list)  # files that are not the signed ones

    @cached_property
    def now_h(self) -> Decimal:
        return clock.process_now(self.batch)

    @cached_property
    def speed(self) -> float | None:
        return pace.speed(self.batch)

    @cached_property
    def asset(self) -> assets.Asset | None:
        return self._signed(assets.of)

    @cached_property
    def tag_map(self) -> TagMap | None:
        return self._signed(limits.tag_map)

    def _signed(self, load: Any) -> Any:
        try:
            return load(self.batch.equipment)
        except (configuration.NotTheSignedFile, ValueError) as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
            return None

    @property
    def label(self) -> str:
        """Return what kind of plant this is, in words; empty for a real one."""
        if self.tag_map is not None:
            return LABELS[self.tag_map.origin]
        return LABELS["simulated"] if self.batch.is_simulated else ""

    @property
    def planned_h(self) -> float | None:
        return self.asset.planned_h if self.asset else None

    @property
    def limits(self) -> Mapping[str, assets.Limit]:
        return self.asset.limits if self.asset else {}

    @cached_property
    def online(self) -> series.Online:
        return series.online(self.batch)

    @cached_property
    def results(self) -> list[LabResult]:
        """Return the results that hold now, in order of sampling."""
        return laboratory.effective(self.batch, at_h=max(self.now_h, Decimal(0)))

    @cached_property
    def forecast(self) -> Forecast | None:
        rows = Forecast.objects.filter(batch=self.batch).select_related(
            "estimate__model_version", "record"
        )
        return rows.order_by("-issued_h", "-pk").first()

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the newest forecast, as told."""
        return forecasts.content(self.forecast)["rows"] if self.forecast else []

    @cached_property
    def estimate(self) -> dict[str, Any]:
        """Return the content of the newest estimate that has a forecast; empty before it."""
        if self.forecast is None:
            return {}
        return audit.decode(audit.get_blob(self.forecast.estimate.content))

    @property
    def is_undecided(self) -> bool:
        return self.forecast is None or self.forecast.status != OK

    @property
    def undecided(self) -> list[str]:
        """Return why the twin gives no forecast to rely on; empty when it does."""
        if self.forecast is None:
            return ["No forecast has been made yet: the first follows the first laboratory values."]
        if not self.is_undecided:
            return []
        broken = [
            verdict["why"]
            for verdict in self.estimate.get("assumptions", [])
            if verdict["verdict"] == "broken" and "forecast" in verdict["locks"]
        ]
        return broken or self.forecast.reason.split("; ")

    def measured(self) -> dict[str, list[tuple[float, float]]]:
        """Return laboratory points (process hours, value) by tag."""
        found: dict[str, list[tuple[float, float]]] = {}
        for result in self.results:
            point = (float(result.sampled_h), float(result.value))
            found.setdefault(result.tag, []).append(point)
        return found


def band(rows: Sequence[Mapping[str, Any]], tag: str) -> list[list[float]]:
    """Return (time, mean, low, high) of a tag's decided rows."""
    return [
        [float(row[key]) for key in ("time_h", "mean", "lo90", "hi90")]
        for row in rows
        if row["tag"] == tag and row.get("status", OK) == OK
    ]


def origin_label(equipment: Equipment, *, is_simulated: bool) -> str:
    """Return what kind of plant an asset is, in words; empty for a real one."""
    try:
        return LABELS[limits.tag_map(equipment).origin]
    except (configuration.NotTheSignedFile, ValueError):
        return LABELS["simulated"] if is_simulated else ""

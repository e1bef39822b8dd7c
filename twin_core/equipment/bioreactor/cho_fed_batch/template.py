"""The CHO fed-batch process model as calibration, forecast and replay see it."""

from collections.abc import Mapping, Sequence

from twin_core.equipment.bioreactor.cho_fed_batch import model, parameters
from twin_core.science.packages import Event
from twin_core.science.twins import KnotGroup, ProcessModel, Tag

TAGS = (
    Tag("viable_cell_density", "1e6 cells/mL", 0, 0.0, 60.0, 0.05, 0.04, logarithmic=True),
    Tag("viability", "%", 1, 0.0, 100.0, 0.0, 0.7),
    Tag("glucose", "mM", 2, 0.0, 120.0, 0.03, 0.4),
    Tag("glutamine", "mM", 3, 0.0, 20.0, 0.04, 0.08),
    Tag("lactate", "mM", 4, 0.0, 120.0, 0.03, 0.4),
    Tag("ammonia", "mM", 5, 0.0, 30.0, 0.04, 0.12),
    Tag("titer", "g/L", 6, 0.0, 20.0, 0.03, 0.03),
    Tag("volume", "L", 7, 0.0, 20000.0, 0.005, 0.005),
)
NUTRITION = ("glucose", "glutamine", "lactate", "ammonia")
ATTRIBUTES = {  # column of batches.csv -> parameter it replaces
    "start_volume_L": "volume_at_start",
    "feed_glucose_mM": "glucose_in_feed",
    "feed_glutamine_mM": "glutamine_in_feed",
}
FEED_TAGS, TEMPERATURE_TAGS = ("feed.rate",), ("temperature.setpoint", "temperature")
BOLUS_TAG = "feed.bolus"
PER_HOUR = {"L/h": 1.0, "mL/h": 1e-3}
VOLUME = {"L": 1.0, "mL": 1e-3}
START_TEMPERATURE = 37.0  # degC, held until an event says otherwise


def fixed(attributes: Mapping[str, str], events: Sequence[Event], scale_L: float) -> list[float]:
    """Return the known numbers of a batch in the kernel's order."""
    values = parameters.fixed_values()
    place = {parameter.name: i for i, parameter in enumerate(parameters.MEMBER)}
    first = len(values) - len(parameters.CONSTANT)
    place |= {parameter.name: first + i for i, parameter in enumerate(parameters.CONSTANT)}
    values[place["volume_at_start"]] = scale_L  # unless the batch tells
    for column, name in ATTRIBUTES.items():
        if attributes.get(column, "").strip():
            values[place[name]] = float(attributes[column])
    told = any(event.tag in (*FEED_TAGS, BOLUS_TAG) for event in events)
    values[place["feed_on_record"]] = 1.0 if told else 0.0
    return values


def controls(events: Sequence[Event]) -> list[list[float]]:
    """Return rows (time h, feed L/h, temperature degC, bolus L) from the events of a batch.

    Raises ValueError for a unit that is not in the list of this template.
    """
    feed, temperature = 0.0, START_TEMPERATURE
    rows = [[0.0, feed, temperature, 0.0]]
    for event in events:
        bolus = 0.0
        if event.tag in FEED_TAGS:
            feed = event.value * factor(PER_HOUR, event)
        elif event.tag in TEMPERATURE_TAGS:
            temperature = event.value * factor({"degC": 1.0}, event)
        elif event.tag == BOLUS_TAG:
            bolus = event.value * factor(VOLUME, event)
        else:
            continue
        rows.append([event.time_h, feed, temperature, bolus])
    return rows


def factor(units: Mapping[str, float], event: Event) -> float:
    """Return what turns the event's unit into the kernel's."""
    if event.unit not in units:
        raise ValueError(
            f"event {event.tag} at {event.time_h} h: unit {event.unit!r} "
            f"is not one of {sorted(units)}"
        )
    return units[event.unit]


def spreads(kind: str) -> tuple[float, ...]:
    """Return a prior spread for each member of theta: ``between`` cultures or ``doubt``."""
    found = [float(getattr(parameter, kind)) for parameter in parameters.MEMBER]
    for _, _, count, _, (between, doubt) in parameters.courses():
        found += [between if kind == "between" else doubt] * count
    return tuple(found)


MODEL = ProcessModel(
    name="cho_fed_batch",
    equations=model,
    tags=TAGS,
    names=tuple(parameters.member_names()),
    between=spreads("between"),
    doubt=spreads("doubt"),
    knots=tuple(
        KnotGroup(first, count, spacing) for _, first, count, spacing, _ in parameters.courses()
    ),
    knot_memory_h=parameters.KNOT_MEMORY_H,
    fixed=fixed,
    controls=controls,
    inputs=("feed.rate", "temperature.setpoint", "feed.bolus"),
)

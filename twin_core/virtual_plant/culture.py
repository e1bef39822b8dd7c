"""The simulated CHO culture: cell classes, overflow, switch, osmolality, gases and memory.

A richer structure than a balance of viable and dead cells: growing, arrested, apoptotic and dead
cells; a pool of amino acids that nobody measures; lactate that is made, then eaten; an inhibitor
that nobody measures; temperature that acts at once on growth and late on metabolism.

Amounts are totals of the vessel: mmol, g, 1e9 cells; volume L; time h; temperature degC. One
explicit Euler step is one minute: the step is part of the plant's definition. Only + - * / is
used, so that the same batch has the same bits everywhere.
"""

from dataclasses import dataclass

from twin_core.virtual_plant.parameters import Biology, Equipment

STEP = 1.0 / 60.0  # h
WORKING_VOLUME = 5.0  # L; the feed pump's interlock stops it here
FEED_GLUCOSE, FEED_AMINO = 420.0, 190.0  # mM
FEED_OSMOLALITY = 950.0  # mOsm/kg
EVAPORATION = 0.0008  # L/h
OXYGEN_CAPACITY = 7.5  # mmol/(L h), the sparger's best
PLACE_OF_COMFORT = 36.8  # degC


@dataclass(slots=True)
class Inputs:
    """What the controllers hold: mL/h, degC, pH, % air saturation."""

    feed: float
    temperature: float
    ph: float
    oxygen: float


@dataclass(slots=True)
class Culture:
    """The state of the vessel; ``step`` moves it by one minute."""

    biology: Biology
    equipment: Equipment
    volume: float
    growing: float
    arrested: float = 0.0
    apoptotic: float = 0.0
    dead: float = 0.0
    glucose: float = 0.0
    glutamine: float = 0.0
    amino: float = 0.0
    lactate: float = 0.0
    ammonia: float = 0.0
    byproduct: float = 0.0
    product: float = 0.0
    acidic: float = 0.0
    osmoles: float = 0.0
    impurity: float = 0.0
    temperature: float = 36.8
    warmth: float = 36.8  # the temperature that metabolism remembers
    ph: float = 7.0
    oxygen: float = 40.0
    carbon_dioxide: float = 40.0  # mmHg
    switched: float = 0.0  # 0 makes lactate, 1 eats it
    flow: float = 0.0  # mL/h, delivered

    @property
    def viable(self) -> float:
        """Cells whose membrane holds, 1e9: what a dye exclusion count sees."""
        return self.growing + self.arrested + self.apoptotic

    def share(self, amount: float) -> float:
        """Return a concentration of an amount, per L."""
        return amount / self.volume

    def step(self, inputs: Inputs, hours: float) -> None:
        """Advance by one minute; ``hours`` is the age of the batch."""
        self._regulate(inputs, hours)
        comfort = _comfort(self)
        growth = self._turn_over_cells(comfort)
        self._metabolise(growth)
        self._make_product()
        self._feed(inputs, hours)

    def withdraw(self, volume: float) -> None:
        """Take a sample: the same share of everything leaves."""
        kept = 1.0 - volume / self.volume
        for name in _AMOUNTS:
            setattr(self, name, getattr(self, name) * kept)

    def _regulate(self, inputs: Inputs, hours: float) -> None:
        """Let temperature, pH and gases follow controllers that trust their drifting probes."""
        probes = self.equipment
        wanted = inputs.temperature - probes.temperature_bias
        self.temperature += STEP * (wanted - self.temperature) / 0.6
        lag = self.equipment.cold_lag
        if lag > 0.0:
            self.warmth += STEP * (self.temperature - self.warmth) / lag
        else:
            self.warmth = self.temperature
        demand = self.share(self.viable) * self.biology.oxygen * (0.4 + 0.6 * _warm(self.warmth))
        capacity = OXYGEN_CAPACITY * (1.0 - inputs.oxygen / 200.0)
        reached = _excess(inputs.oxygen - probes.oxygen_drift * hours, 0.0)
        if demand > capacity:
            reached *= _square(capacity / demand)
        self.oxygen += STEP * (reached - self.oxygen) / 0.15
        self.carbon_dioxide += STEP * (38.0 + 11.0 * demand - self.carbon_dioxide) / 1.5
        pressed = 0.0004 * (self.carbon_dioxide - 40.0)
        self.ph += STEP * (inputs.ph - probes.ph_drift * hours - pressed - self.ph) / 0.5

    def _turn_over_cells(self, comfort: float) -> float:
        """Move cells between the classes; return the cells born, 1e9 in this minute."""
        biology, dense = self.biology, self.share(self.viable) / 24.0
        cold = 1.0 - _warm(self.temperature)
        born = STEP * biology.growth * comfort * _warm(self.temperature) * self.growing
        arrest = biology.arrest + 0.007 * (1.0 - comfort) + 0.010 * cold + 0.010 * dense * dense
        stress = self._stress()
        arrested = STEP * arrest * self.growing
        lost_growing, lost_arrested = (
            STEP * stress * self.growing,
            STEP * 1.5 * stress * self.arrested,
        )
        broken = STEP * biology.breakdown * self.apoptotic
        self.growing += born - arrested - lost_growing
        self.arrested += arrested - lost_arrested
        self.apoptotic += lost_growing + lost_arrested - broken
        self.dead += broken - STEP * biology.lysis * self.dead
        return born

    def _stress(self) -> float:
        """Return the rate of entering apoptosis, 1/h."""
        glucose, amino = self.share(self.glucose), self.share(self.amino)
        starved = 0.15 / (0.15 + glucose) + 0.3 * 0.2 / (0.2 + amino)
        poisoned = _square(self.share(self.ammonia) / 9.0) + 0.5 * _square(
            self.share(self.lactate) / 45.0
        )
        thick = _square(_excess(self.share(self.osmoles), 360.0) / 140.0)
        choked = _square(_excess(15.0, self.oxygen) / 15.0)
        mild = 0.5 + 0.5 * _warm(self.warmth)
        return (
            self.biology.apoptosis * mild
            + 0.020 * starved
            + 0.0010 * poisoned * mild
            + 0.004 * thick
            + 0.010 * choked
            + 0.0010 * _square(self.share(self.byproduct) / 1.6) * mild
            + self.share(self.impurity)
        )

    def _metabolise(self, born: float) -> None:
        """Take up glucose, glutamine, amino acids and lactate; give off what follows."""
        biology, viable = self.biology, self.viable
        warm = 0.35 + 0.65 * _warm(self.warmth)
        glucose, amino = self.share(self.glucose), self.share(self.amino)
        fed = glucose / (0.3 + glucose)
        active = self.growing + 0.75 * self.arrested + 0.3 * self.apoptotic
        burnt = fed * (STEP * biology.glucose_upkeep * warm * active + born / biology.glucose_yield)
        spilt = STEP * biology.overflow * glucose * glucose / (500.0 + glucose * glucose)
        spilt *= warm * (1.0 + 1.5 * (self.ph - 7.0)) * (1.0 - 0.7 * self.switched) * active
        lactate = self.share(self.lactate)
        eaten = STEP * biology.lactate_uptake * self.switched * lactate / (2.5 + lactate) * active
        self.glucose = _excess(self.glucose - burnt - spilt, 0.0)
        self.lactate = _excess(
            self.lactate + 1.8 * spilt + 0.35 * burnt * (1 - self.switched) - eaten, 0.0
        )
        self.osmoles += 1.6 * spilt - 0.8 * burnt - 0.5 * eaten
        self._take_nitrogen(born, amino, warm * active)
        slow = 1.0 - born / (STEP * 0.45 * biology.growth * viable + 1e-12)
        self.switched += STEP * (_excess(slow, 0.0) - self.switched) / biology.switch

    def _take_nitrogen(self, born: float, amino: float, active: float) -> None:
        biology, glutamine = self.biology, self.share(self.glutamine)
        used = born / biology.glutamine_yield * glutamine / (0.05 + glutamine)
        decayed = STEP * 0.0022 * self.glutamine
        amino_used = (
            amino
            / (0.3 + amino)
            * (born / biology.amino_yield + STEP * biology.amino_upkeep * active)
        )
        excess = STEP * self.equipment.byproduct * active * amino / (6.0 + amino)
        self.glutamine = _excess(self.glutamine - used - decayed, 0.0)
        self.amino = _excess(self.amino - amino_used - excess, 0.0)
        self.ammonia += 0.55 * used + decayed + biology.ammonia_of_amino * amino_used
        self.byproduct += excess

    def _make_product(self) -> None:
        biology, amino = self.biology, self.share(self.amino)
        cold = 1.0 - _warm(self.warmth)
        makers = 0.75 * self.growing + 1.25 * self.arrested + 0.25 * self.apoptotic
        made = STEP * biology.productivity * (1.0 + biology.cold_gain * cold / 0.45) * makers
        made *= amino / (0.6 + amino) * self.oxygen / (4.0 + self.oxygen)
        ageing = biology.acidic * (0.3 + 0.7 * _warm(self.warmth)) * (1.0 + 2.0 * (self.ph - 7.0))
        ageing *= 1.0 + 0.10 * self.share(self.dead)
        self.acidic += 0.11 * made + STEP * ageing * (self.product - self.acidic)
        self.product += made

    def _feed(self, inputs: Inputs, hours: float) -> None:
        delivered = (
            inputs.feed * self.equipment.pump_gain * (1.0 - self.equipment.pump_wear * hours)
        )
        self.flow = delivered if self.volume < WORKING_VOLUME else 0.0
        added = STEP * self.flow / 1000.0
        amino, glucose, impurity = self.equipment.lot
        self.volume += added - STEP * EVAPORATION
        self.glucose += added * FEED_GLUCOSE * glucose
        self.amino += added * FEED_AMINO * amino
        self.osmoles += added * FEED_OSMOLALITY
        self.impurity += added * impurity


def _comfort(culture: Culture) -> float:
    """Return how much of the largest growth food, poisons, salt, gas and pH leave, 0 to 1."""
    share, biology = culture.share, culture.biology
    glucose, amino, glutamine = (
        share(culture.glucose), share(culture.amino), share(culture.glutamine)
    )  # fmt: skip
    food = glucose / (0.6 + glucose) * amino / (0.7 + amino)
    food *= 0.7 + 0.3 * glutamine / (0.1 + glutamine)
    poison = 1.0 + _square(share(culture.lactate) / biology.lactate_limit)
    poison *= 1.0 + _square(share(culture.ammonia) / biology.ammonia_limit)
    poison *= 1.0 + _square(share(culture.byproduct) / 1.2)
    salt = 1.0 + _square(_excess(share(culture.osmoles), 330.0) / 120.0)
    gas = 1.0 + _square(_excess(culture.carbon_dioxide, 85.0) / 60.0)
    gas *= 1.0 + 2.0 * _square(_excess(15.0, culture.oxygen) / 15.0)
    acid = _excess(1.0 - _square((culture.ph - 7.05) / 0.6), 0.0)
    return food * acid / (poison * salt * gas)


def _warm(temperature: float) -> float:
    """Return 1 at the place of comfort, 0.6 at 33 degC, falling fast above."""
    width = 6.0 if temperature < PLACE_OF_COMFORT else 2.4
    return _excess(1.0 - _square((temperature - PLACE_OF_COMFORT) / width), 0.0)


def _excess(value: float, over: float) -> float:
    return value - over if value > over else 0.0


def _square(value: float) -> float:
    return value * value


_AMOUNTS = (
    "volume", "growing", "arrested", "apoptotic", "dead", "glucose", "glutamine", "amino",
    "lactate", "ammonia", "byproduct", "product", "acidic", "osmoles", "impurity",
)  # fmt: skip

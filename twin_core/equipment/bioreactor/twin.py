"""Manifest of the stirred bioreactor: tags, units, CPPs, CQAs, limits, write-back points."""

from twin_core.equipment.bioreactor.cho_fed_batch.template import MODEL as CHO_FED_BATCH
from twin_core.science.twins import EquipmentTwin, Limit, WriteBack

TWIN = EquipmentTwin(
    name="bioreactor",
    title="Stirred bioreactor",
    models=(CHO_FED_BATCH,),
    measured=(
        ("temperature", "degC"),
        ("ph", "pH"),
        ("dissolved_oxygen", "% air saturation"),
        ("volume", "L"),
        ("feed.flow", "mL/h"),
        ("viable_cell_density", "1e6 cells/mL"),
        ("viability", "%"),
        ("mean_cell_diameter", "um"),
        ("glucose", "mM"),
        ("glutamine", "mM"),
        ("lactate", "mM"),
        ("ammonia", "mM"),
        ("titer", "g/L"),
    ),
    critical_parameters=("feed.rate", "temperature.setpoint", "ph.setpoint"),
    quality_attributes=("viability", "titer"),
    limits=(Limit("viability", "%", low=70.0),),
    write_back=(
        WriteBack("feed.rate", "mL/h", 0.0, 40.0, 0.1, 20.0, writable=True),
        WriteBack("temperature.setpoint", "degC", 31.0, 37.5, 0.1, 4.0, writable=True),
        WriteBack("harvest", "1", 0.0, 1.0, 1.0, 1.0, writable=False),
    ),
)

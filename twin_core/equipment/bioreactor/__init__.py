"""Equipment twin: stirred bioreactor; a folder below for each process model."""

from twin_core.equipment.bioreactor.twin import TWIN

__all__ = ["TWIN"]

"""Batch packages that ship with the bioreactor twin, and the importers that made them."""

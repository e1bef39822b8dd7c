"""ISA-88 units: a folder for each equipment twin, strangers to each other; no framework."""

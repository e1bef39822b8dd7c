"""The write gate: the only code that can write to a plant. It does not trust the twin."""

"""The numerical core: numbers in, numbers out; no framework, no clock, no store."""

"""The engine of evidence: requirements, protocols, runs and the trace between them."""

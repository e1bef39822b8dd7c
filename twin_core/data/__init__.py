"""Data up: batches, harmonised samples, sealed segments, laboratory results, quarantine."""

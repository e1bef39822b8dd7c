"""Backups of an installation: made, archived continuously, brought back, and verified."""

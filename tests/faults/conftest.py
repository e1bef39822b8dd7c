"""Fixtures of the fault campaigns: those of the record store's tests."""

from tests.audit.conftest import ledger

__all__ = ["ledger"]

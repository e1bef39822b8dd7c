"""Restore, fork, clock: the ledger is closed until it is known to be the one that was sealed last."""

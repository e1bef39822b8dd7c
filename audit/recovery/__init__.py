"""Restore, fork, clock: a ledger takes records only while it is the one sealed last."""

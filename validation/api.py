"""The door to the engine of evidence: what protocols may use of it."""

from validation.evidence import (
    PackageState,
    compare_with_lock,
    fingerprint,
    locked_packages,
    machine,
)
from validation.protocols import Protocol, ProtocolInvalid, Run
from validation.requirements import Requirement, RequirementInvalid, load

__all__ = [
    "PackageState",
    "Protocol",
    "ProtocolInvalid",
    "Requirement",
    "RequirementInvalid",
    "Run",
    "compare_with_lock",
    "fingerprint",
    "load",
    "locked_packages",
    "machine",
]

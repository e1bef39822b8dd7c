"""The door to the record store: what other packages may use of it."""

from audit.actors import Actor, Source, acting, actor_of, os_user_actor, process_actor
from audit.canonical import NotCanonical, decode, encode, number, quantity, timestamp
from audit.fields import ClockTimestamp, uuid7
from audit.ledger import (
    append,
    append_alone,
    by_leaf,
    content,
    get_blob,
    is_intact,
    put_blob,
    sequence_of,
    wait_for_seal,
)
from audit.models import Record, Role, Signature, User
from audit.operations import Grant, RefuseChange, Regulated
from audit.refusals import NotEntitled, Refused
from audit.refusals import record as record_refusal
from audit.regulated import RegulatedModel
from audit.signatures import (
    SignatureRefused,
    SigningProof,
    next_code_at,
    prove,
    require_view,
    sign,
    signatures_of,
    view_digest,
)
from audit.software import build_digest, software
from audit.transitions import Transitions
from audit.verification import Verification
from audit.verification import verify_installation as verify

__all__ = [
    "Actor",
    "ClockTimestamp",
    "Grant",
    "NotCanonical",
    "NotEntitled",
    "Record",
    "RefuseChange",
    "Refused",
    "Regulated",
    "RegulatedModel",
    "Role",
    "Signature",
    "SignatureRefused",
    "SigningProof",
    "Source",
    "Transitions",
    "User",
    "Verification",
    "acting",
    "actor_of",
    "append",
    "append_alone",
    "build_digest",
    "by_leaf",
    "content",
    "decode",
    "encode",
    "get_blob",
    "is_intact",
    "next_code_at",
    "number",
    "os_user_actor",
    "process_actor",
    "prove",
    "put_blob",
    "quantity",
    "record_refusal",
    "require_view",
    "sequence_of",
    "sign",
    "signatures_of",
    "software",
    "timestamp",
    "uuid7",
    "verify",
    "view_digest",
    "wait_for_seal",
]

"""The door to the record store: what other packages may use of it."""

from audit import erasures, exports, inclusion, personal, refusals, sessions, state, trail
from audit.actors import Actor, Source, acting, actor_of, os_user_actor, process_actor
from audit.acts import Act, RowMissing, act
from audit.canonical import NotCanonical, decode, encode, number, quantity, timestamp
from audit.credentials import code_now, provisioning_uri
from audit.desk import scope
from audit.fields import ClockTimestamp, uuid7
from audit.guards import contents, trust
from audit.guards import standing as guards
from audit.head import Head, Unsealed, head, unsealed
from audit.identity import (
    IdentityRefused,
    change_person,
    create_person,
    current_roles,
    enrol_code,
    grant_role,
    people_as_of,
    require_role,
    revoke_role,
    roles_as_of,
    set_password,
)
from audit.ledger import (
    ContentMismatch,
    ParentUnknown,
    append,
    append_alone,
    append_many,
    by_leaf,
    content,
    get_blob,
    is_intact,
    put_blob,
    sequence_of,
    wait_for_seal,
)
from audit.models import OpenSession, Record, Role, Signature, User
from audit.operations import Grant, RefuseChange, Regulated
from audit.outcomes.deadline import answers_within
from audit.outcomes.once import KeyConflict, OutcomeUnknown, done_under, once, until_known
from audit.outside.standing import standing as outside_standing
from audit.outside.timestamps import request as request_stamp
from audit.proofs import USED_BEFORE
from audit.recovery import standing
from audit.recovery.clock import TimeUnsynchronised, database_now
from audit.refusals import NotEntitled, Refused
from audit.refusals import record as record_refusal
from audit.regulated import RegulatedModel
from audit.retention.citation import Citation
from audit.retention.operations import LooseCitation
from audit.signature_lines import signature_lines
from audit.signatures import (
    Meaning,
    ShownSignature,
    SignatureRefused,
    SigningProof,
    ViewChanged,
    next_code_at,
    prove,
    require_view,
    shown,
    sign,
    signatures_of,
    view_digest,
)
from audit.software import build_digest, software
from audit.transitions import Transitions
from audit.verification import Verification, verify_against
from audit.verification import verify_installation as verify

__all__ = [
    "USED_BEFORE",
    "Act",
    "Actor",
    "Citation",
    "ClockTimestamp",
    "ContentMismatch",
    "Grant",
    "Head",
    "IdentityRefused",
    "KeyConflict",
    "LooseCitation",
    "Meaning",
    "NotCanonical",
    "NotEntitled",
    "OpenSession",
    "OutcomeUnknown",
    "ParentUnknown",
    "Record",
    "RefuseChange",
    "Refused",
    "Regulated",
    "RegulatedModel",
    "Role",
    "RowMissing",
    "ShownSignature",
    "Signature",
    "SignatureRefused",
    "SigningProof",
    "Source",
    "TimeUnsynchronised",
    "Transitions",
    "Unsealed",
    "User",
    "Verification",
    "ViewChanged",
    "act",
    "acting",
    "actor_of",
    "answers_within",
    "append",
    "append_alone",
    "append_many",
    "build_digest",
    "by_leaf",
    "change_person",
    "code_now",
    "content",
    "contents",
    "create_person",
    "current_roles",
    "database_now",
    "decode",
    "done_under",
    "encode",
    "enrol_code",
    "erasures",
    "exports",
    "get_blob",
    "grant_role",
    "guards",
    "head",
    "inclusion",
    "is_intact",
    "next_code_at",
    "number",
    "once",
    "os_user_actor",
    "outside_standing",
    "people_as_of",
    "personal",
    "process_actor",
    "prove",
    "provisioning_uri",
    "put_blob",
    "quantity",
    "record_refusal",
    "refusals",
    "request_stamp",
    "require_role",
    "require_view",
    "revoke_role",
    "roles_as_of",
    "scope",
    "sequence_of",
    "sessions",
    "set_password",
    "shown",
    "sign",
    "signature_lines",
    "signatures_of",
    "software",
    "standing",
    "state",
    "timestamp",
    "trail",
    "trust",
    "unsealed",
    "until_known",
    "uuid7",
    "verify",
    "verify_against",
    "view_digest",
    "wait_for_seal",
]

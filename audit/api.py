"""The door to the record store: what other packages may use of it."""

from audit import exports, inclusion, refusals, sessions, state, trail
from audit.actors import Actor, Source, acting, actor_of, os_user_actor, process_actor
from audit.acts import Act, RowMissing, act
from audit.canonical import NotCanonical, decode, encode, number, quantity, timestamp
from audit.credentials import code_now, provisioning_uri
from audit.fields import ClockTimestamp, uuid7
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
from audit.models import OpenSession, Record, Role, Signature, User
from audit.operations import Grant, RefuseChange, Regulated
from audit.proofs import USED_BEFORE
from audit.refusals import NotEntitled, Refused
from audit.refusals import record as record_refusal
from audit.regulated import RegulatedModel
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
from audit.verification import Verification
from audit.verification import verify_installation as verify

__all__ = [
    "USED_BEFORE",
    "Act",
    "Actor",
    "ClockTimestamp",
    "Grant",
    "Head",
    "IdentityRefused",
    "Meaning",
    "NotCanonical",
    "NotEntitled",
    "OpenSession",
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
    "Transitions",
    "Unsealed",
    "User",
    "Verification",
    "ViewChanged",
    "act",
    "acting",
    "actor_of",
    "append",
    "append_alone",
    "build_digest",
    "by_leaf",
    "change_person",
    "code_now",
    "content",
    "create_person",
    "current_roles",
    "decode",
    "encode",
    "enrol_code",
    "exports",
    "get_blob",
    "grant_role",
    "head",
    "inclusion",
    "is_intact",
    "next_code_at",
    "number",
    "os_user_actor",
    "people_as_of",
    "process_actor",
    "prove",
    "provisioning_uri",
    "put_blob",
    "quantity",
    "record_refusal",
    "refusals",
    "require_role",
    "require_view",
    "revoke_role",
    "roles_as_of",
    "sequence_of",
    "sessions",
    "set_password",
    "shown",
    "sign",
    "signatures_of",
    "software",
    "state",
    "timestamp",
    "trail",
    "unsealed",
    "uuid7",
    "verify",
    "view_digest",
    "wait_for_seal",
]

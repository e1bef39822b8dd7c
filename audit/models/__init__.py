"""Tables of the record store and of the people who sign; their rules live in the database."""

from audit.models.people import Credential, OpenSession, Role, RoleGrant, Signature, User
from audit.models.records import Blob, Block, Checkpoint, Record, Tile
from audit.models.retention import Act, ArchivedMonth, DroppedRecord, LegalHold, Line

__all__ = [
    "Act",
    "ArchivedMonth",
    "Blob",
    "Block",
    "Checkpoint",
    "Credential",
    "DroppedRecord",
    "LegalHold",
    "Line",
    "OpenSession",
    "Record",
    "Role",
    "RoleGrant",
    "Signature",
    "Tile",
    "User",
]

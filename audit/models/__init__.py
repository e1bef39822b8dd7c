"""Tables of the record store and of the people who sign; their rules live in the database."""

from audit.models.exports import ExportJob
from audit.models.people import Credential, OpenSession, Role, RoleGrant, Signature, User
from audit.models.records import Blob, Block, Checkpoint, Record, Tile

__all__ = [
    "Blob",
    "Block",
    "Checkpoint",
    "Credential",
    "ExportJob",
    "OpenSession",
    "Record",
    "Role",
    "RoleGrant",
    "Signature",
    "Tile",
    "User",
]

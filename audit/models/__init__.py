"""Tables of the record store and of the people who sign; their rules live in the database."""

from audit.models.desk import (
    ReviewJudgement,
    SearchBucket,
    SearchRow,
    StreamScope,
    TrailReview,
)
from audit.models.exports import ExportJob
from audit.models.outside import Delivery, Publication, Token
from audit.models.people import Credential, OpenSession, Role, RoleGrant, Signature, User
from audit.models.personal import PersonalKey
from audit.models.records import Blob, Block, Checkpoint, Record, Tile
from audit.models.retention import ActKey, ArchivedMonth, DroppedRecord, LegalHold, Line
from audit.models.standing import Standing

__all__ = [
    "ActKey",
    "ArchivedMonth",
    "Blob",
    "Block",
    "Checkpoint",
    "Credential",
    "Delivery",
    "DroppedRecord",
    "ExportJob",
    "LegalHold",
    "Line",
    "OpenSession",
    "PersonalKey",
    "Publication",
    "Record",
    "ReviewJudgement",
    "Role",
    "RoleGrant",
    "SearchBucket",
    "SearchRow",
    "Signature",
    "Standing",
    "StreamScope",
    "Tile",
    "Token",
    "TrailReview",
    "User",
]

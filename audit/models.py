"""Tables of the record store and of the people who sign; their rules live in the database."""

from typing import Any

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from audit.fields import ClockTimestamp, CurrentTransaction, LeafHash, TransactionIdField, UuidV7
from audit.regulated import RegulatedModel


class Record(models.Model):
    """One fact, written in the transaction of the act it tells; never changed.

    ``audit.ledger.append`` writes it by one prepared INSERT of stream, kind and payload: the
    role may write no other column. The sealer gives it its place in the chain: see ``Block``.
    """

    id = models.UUIDField(primary_key=True, db_default=UuidV7(), editable=False)
    stream = models.CharField(max_length=120)  # "batch/B-0042"
    kind = models.CharField(max_length=120)  # "twin_core.recommendation.approved"
    payload = models.TextField(db_collation="C")  # canonical JSON, hashed exactly as stored
    leaf = models.GeneratedField(  # RFC 6962 leaf hash, computed where the bytes lie
        expression=LeafHash("payload"), output_field=models.BinaryField(), db_persist=True
    )
    transaction = TransactionIdField(db_default=CurrentTransaction())
    recorded_at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        managed = False  # partitioned by key range, which Django cannot declare: see 0001_ledger

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("records are written by audit.api.append, and never changed")

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("records are never deleted")


class Block(models.Model):
    """A run of committed records in their final order, chained to the block before."""

    number = models.BigIntegerField(primary_key=True)
    header = models.TextField(db_collation="C")  # canonical JSON, hashed exactly as stored
    hash = models.BinaryField(editable=False)
    leaves = models.BinaryField(editable=False)  # the records' leaf hashes: the tree's level 0
    first_sequence = models.BigIntegerField(editable=False)
    count = models.IntegerField(editable=False)
    transaction_from = TransactionIdField(editable=False)
    transaction_below = TransactionIdField(editable=False)

    class Meta:
        managed = False  # all but number, header and leaves is generated from the header

    def __str__(self) -> str:
        return f"block {self.number}"


class Tile(models.Model):
    """256 hashes of one level of the Merkle tree above the leaves; only full tiles are stored."""

    id = models.BigAutoField(primary_key=True)
    level = models.SmallIntegerField()  # from 1; level 0 is Block.leaves
    position = models.BigIntegerField()
    hashes = models.BinaryField()  # 256 x 32 bytes

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["level", "position"], name="one_tile_a_place")
        ]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.position}"


class Checkpoint(models.Model):
    """A signed tree head (C2SP tlog-checkpoint); a copy is kept outside the database."""

    tree_size = models.BigIntegerField(primary_key=True)
    note = models.TextField()
    created_at = models.DateTimeField(db_default=ClockTimestamp())

    def __str__(self) -> str:
        return f"checkpoint {self.tree_size}"


class Blob(models.Model):
    """A content that is larger than a payload may be, stored once under its SHA-256."""

    digest = models.CharField(max_length=64, primary_key=True)
    content = models.BinaryField()
    media_type = models.CharField(max_length=100)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="blob_is_its_digest",
                condition=models.Q(
                    digest=models.Func(
                        models.Func("content", function="sha256"),
                        models.Value("hex"),
                        function="encode",
                        output_field=models.TextField(),
                    )
                ),
            )
        ]

    def __str__(self) -> str:
        return self.digest


class Role(models.TextChoices):
    """What a person may do (design: people and signatures)."""

    PROCESS_ENGINEER = "process_engineer", "Process engineer"
    QA_REVIEWER = "qa_reviewer", "QA reviewer"
    QA_APPROVER = "qa_approver", "QA approver"
    VALIDATION_ENGINEER = "validation_engineer", "Validation engineer"
    AUDITOR = "auditor", "Auditor"
    SYSTEM_ADMINISTRATOR = "system_administrator", "System administrator"
    PLANT_OPERATOR = "plant_operator", "Plant operator"


class User(RegulatedModel):
    """A person. Secrets stand apart in ``Credential``, so that each change of them is an act."""

    username = models.CharField(max_length=150, unique=True)
    printed_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["printed_name"]
    is_anonymous = False
    is_authenticated = True

    objects: Any = models.Manager()

    def __str__(self) -> str:
        return self.printed_name

    def get_username(self) -> str:
        return self.username

    def roles(self) -> set[str]:
        """Return the roles this person holds now."""
        return set(self.grants.filter(is_active=True).values_list("role", flat=True))

    def get_session_auth_hash(self) -> str:
        """Return what a session is bound to: any change of a credential ends it."""
        from audit.identity import session_binding

        return session_binding(self)

    def get_session_auth_fallback_hash(self) -> list[str]:
        return []


class RoleGrant(RegulatedModel):
    """One role given to one person, until it is taken back."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=40, choices=Role.choices)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="one_grant_a_role")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"


class Credential(RegulatedModel):
    """What a person proves themselves with: a password hash, or an encrypted code secret."""

    class Kind(models.TextChoices):
        PASSWORD = "password", "Password"
        CODE = "code", "One-time code"

    digested = ("secret",)

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="credentials")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    secret = models.TextField()
    is_active = models.BooleanField(default=True)
    last_step = models.BigIntegerField(null=True)  # RFC 6238 time step of the last accepted code

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind"],
                condition=models.Q(is_active=True),
                name="one_active_credential_a_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"


class Signature(RegulatedModel):
    """An electronic signature on one record: who, when, with what meaning, on what view."""

    signed = models.ForeignKey(Record, on_delete=models.PROTECT, related_name="signatures")
    signer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="signatures")
    proof = models.OneToOneField(Record, on_delete=models.PROTECT, related_name="+")  # used once
    meaning = models.CharField(max_length=60)
    manifest = models.TextField()  # canonical JSON: what was signed, in full
    signed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.meaning} by {self.signer_id}"


class OpenSession(AbstractBaseSession):
    """A session that is open now. Not regulated: its beginning and end are records."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)  # last request of the person's own
    address = models.CharField(max_length=64, null=True)

    @classmethod
    def get_session_store_class(cls) -> Any:
        from audit.session_store import SessionStore

        return SessionStore

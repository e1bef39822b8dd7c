"""The people who sign, their roles, credentials, signatures and open sessions."""

from typing import Any

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from audit.models.records import Record
from audit.regulated import RegulatedModel
from audit.retention.citation import Citation, SingleCitation


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
    email = models.CharField(max_length=500, blank=True)  # sealed: see ``audit.personal``
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

    @property
    def email_shown(self) -> str:
        """Return the address as people read it, or that it was erased."""
        from audit import personal

        return personal.shown(self.email)

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

    signed = Citation(Record, related_name="signatures")
    signer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="signatures")
    proof = SingleCitation(Record, related_name="+")  # used once
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

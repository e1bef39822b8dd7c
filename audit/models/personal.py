"""Keys of personal text, one a person. Not part of the ledger: they can be destroyed."""

from django.db import models

from audit.fields import ClockTimestamp, uuid7
from audit.models.people import User


class PersonalKey(models.Model):
    """The key under which a person's personal text stands in records and rows.

    ``secret`` is wrapped by a key outside the database. The one change that a trigger lets through
    is its end: ``secret`` becomes null, citing the signed record of the erasure.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="personal_keys")
    secret = models.BinaryField(null=True)
    made_at = models.DateTimeField(db_default=ClockTimestamp())
    erasure = models.UUIDField(null=True)  # the record of the act that destroyed the key

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person"],
                condition=models.Q(secret__isnull=False),
                name="one_living_key_a_person",
            ),
            models.CheckConstraint(
                condition=models.Q(secret__isnull=False, erasure__isnull=True)
                | models.Q(secret__isnull=True, erasure__isnull=False),
                name="a_key_lives_or_was_erased",
            ),
        ]

    def __str__(self) -> str:
        return f"key {self.pk}{' (erased)' if self.secret is None else ''}"

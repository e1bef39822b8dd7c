"""What is known of checkpoints outside: cosigned ones, deliveries, tokens of time authorities."""

from django.db import models

from audit.fields import ClockTimestamp


class Publication(models.Model):
    """A checkpoint with the cosignatures that the site's policy asks for."""

    id = models.BigAutoField(primary_key=True)
    tree_size = models.BigIntegerField(db_index=True)  # again when the policy has changed
    note = models.TextField()
    created_at = models.DateTimeField(db_default=ClockTimestamp())

    def __str__(self) -> str:
        return f"published checkpoint {self.tree_size}"


class Delivery(models.Model):
    """That a store outside has every checkpoint that was due up to this size."""

    id = models.BigAutoField(primary_key=True)
    store = models.CharField(max_length=300)
    tree_size = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        indexes = [models.Index(fields=["store", "-tree_size"], name="newest_of_a_store")]

    def __str__(self) -> str:
        return f"{self.store} has {self.tree_size}"


class Token(models.Model):
    """An RFC 3161 response over the SHA-256 of a checkpoint's text, checked when it came."""

    id = models.BigAutoField(primary_key=True)
    tree_size = models.BigIntegerField(db_index=True)
    body = models.TextField()
    response = models.BinaryField()  # DER
    authority = models.TextField()  # subject of the certificate that signed
    stamped_at = models.DateTimeField()  # by the authority's clock
    created_at = models.DateTimeField(db_default=ClockTimestamp())

    def __str__(self) -> str:
        return f"token over checkpoint {self.tree_size} at {self.stamped_at:%Y-%m-%d %H:%M:%S}"

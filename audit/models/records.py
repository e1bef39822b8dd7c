"""The ledger's own tables: records, the blocks and tiles that order them, checkpoints, blobs."""

from typing import Any

from django.db import models

from audit.fields import ClockTimestamp, CurrentTransaction, LeafHash, TransactionIdField, UuidV7


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

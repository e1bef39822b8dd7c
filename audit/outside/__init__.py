"""Evidence outside the database: checkpoints in folders, under witnesses' and authorities' eyes."""

from audit.outside.folder import Outside

__all__ = ["Outside"]

"""Evidence outside the database."""

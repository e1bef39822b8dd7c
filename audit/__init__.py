"""The record store: immutable, hash-chained, sealed records and the people who sign them."""

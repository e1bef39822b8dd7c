"""The second verifier: one static page, written from ``docs/design/records.md`` alone."""

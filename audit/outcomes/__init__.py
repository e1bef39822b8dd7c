"""Acts under faults of the store: done once though answers are lost, never waited for in vain."""

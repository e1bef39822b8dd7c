"""State machines as tables: what may follow what, and what must hold first."""

"""Life over decades: months archived and closed, held, and dropped after their time."""

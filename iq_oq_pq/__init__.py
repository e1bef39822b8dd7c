"""Installation, operational and performance qualification protocols, and nothing else."""

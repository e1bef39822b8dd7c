"""Connect: what speaks to a plant and hands on what it says, unchanged."""

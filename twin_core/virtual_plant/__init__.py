"""Simulated plants for demonstration, tests and campaigns. No part of the twin may import them."""

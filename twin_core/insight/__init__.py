"""Insight: estimate, forecast, recommendation and the capsule that replays them."""

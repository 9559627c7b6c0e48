"""What follows from a plan: pure functions from values to tables."""

"""How the year goes: plan, actual, variance, landing."""

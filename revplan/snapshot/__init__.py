"""What the records say on a day, for the model; and whether plan and records fit."""

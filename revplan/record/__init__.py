"""The plan of record: a plan signed and frozen, checked when it is opened, and what changed since."""

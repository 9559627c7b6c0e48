"""How the year goes: what was promised, what came, and why."""

"""How sure it is: trials, commit curve, drivers, scenarios, the company's own past."""

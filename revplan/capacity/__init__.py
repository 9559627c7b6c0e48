"""Who closes it: roster, ramp, capacity, load."""

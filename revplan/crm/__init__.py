"""Files in, records out: readers, presets, what was found on the way, actuals."""

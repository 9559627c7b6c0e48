"""What everything stands on: errors, values, calendar, lags, the data dictionary, formats, files."""

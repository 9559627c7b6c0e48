"""What the records support: rates, lags, forecasts, backtests."""

"""The exhibits of the board pack."""

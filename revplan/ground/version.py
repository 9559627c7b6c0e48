"""Which revplan this is."""

__version__ = "0.8.0"

"""The commands, and what they answer."""

from revplan.cli.commands import DONE, FAILED, INPUT_AT_FAULT, main

__all__ = ["DONE", "FAILED", "INPUT_AT_FAULT", "main"]

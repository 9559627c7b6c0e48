"""Notebooks found, checked, run and printed."""

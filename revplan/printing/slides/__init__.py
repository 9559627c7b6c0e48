"""The executed notebook as an editable presentation."""

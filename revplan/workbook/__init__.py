"""A plan file in, all its tables out."""

"""How it is printed: page, PDF, slides, and the figures held against each other."""

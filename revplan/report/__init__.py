"""How results are shown: exhibits, and the notebooks that print them.

Nothing heavy is imported here, so the command line may import any module of this wing.
"""

MIMETYPE = "application/vnd.revplan.exhibit+json"
"""Under which a notebook keeps an exhibit's values: every format is made from them."""

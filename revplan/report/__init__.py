"""How results are shown: exhibits, and the notebooks that print them.

Nothing heavy is imported here, so the command line may import any module of this wing.
"""

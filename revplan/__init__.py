"""revplan: from an ARR goal to one marketing commit, and what cannot be reached any more."""

__version__ = "0.2.0"

"""The gates before a commit, and the facts that they compare again."""

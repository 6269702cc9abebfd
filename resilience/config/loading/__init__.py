"""A policy file or mapping becomes a `PolicySet`, with the place of every mistake."""

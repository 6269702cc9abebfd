"""A recorded log through changed policies: what would have been different, and what a log cannot tell."""

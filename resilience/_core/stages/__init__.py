"""State that attempts share: one file a stage."""

"""JSON schemas and reference tables, made from the settings classes."""

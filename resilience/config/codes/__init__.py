"""Code tables in YAML become `CodeRegistry` objects."""

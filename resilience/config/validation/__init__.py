"""Validates settings with pydantic: the annotations of the settings classes become its schemas."""

"""Files: code tables and policy files become rows and settings here. The only room that imports yaml and pydantic."""

"""Compiles the settings of a policy into calls, with the parts that its calls share."""

"""Contains the commands, one module each. `cli/command_list.py` says what a module must have."""

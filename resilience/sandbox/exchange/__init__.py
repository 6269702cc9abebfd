"""The sandbox exchange itself: its state, its clock, its checks and its faults, without any network."""

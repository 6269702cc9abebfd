"""What the sandbox exchange knows: orders, rules, keys and faults. No sockets and no clock."""

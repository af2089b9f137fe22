"""Small repeatable jobs. Each takes its own lease and does one kind of work, one item at a time."""

"""Which days are due, and what the head of the chain shows of them. Below all siblings."""

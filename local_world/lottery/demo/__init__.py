"""`make demo`: lottery days from sale to claim, and an audit of them."""

"""Tables of claims and refunds, and of events that nothing of ours explains."""

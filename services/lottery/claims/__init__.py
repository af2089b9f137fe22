"""Claims and refunds: indexed, reconciled with what was computed, resolved."""

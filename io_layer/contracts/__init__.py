"""What knows ABI, but no product: calls and events as bytes, code, creations."""

"""The lottery's tables, one module each."""

"""The day's files: compared, signed, copied to disk."""

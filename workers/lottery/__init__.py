"""The lottery's jobs."""

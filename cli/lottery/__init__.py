"""The lottery's commands."""

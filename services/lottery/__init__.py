"""The lottery's use cases."""

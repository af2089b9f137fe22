"""Settles a day: steps, gates, files, voids, and what a person asks of a day."""

"""Reads and alerts, and writes no settlement data. No check stands here yet."""

"""Checks a day of the lottery without trusting it: written from docs/rules.md and docs/artifacts.md alone.

It shares no line with the engine and imports none of it; import-linter holds both to that.
"""

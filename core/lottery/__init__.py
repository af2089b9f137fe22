"""The lottery: tickets, draw, prizes, affiliates, rulesets, and the day's files as bytes."""

"""The lottery's local world: contracts, players, seeds, and commands to keep one running."""

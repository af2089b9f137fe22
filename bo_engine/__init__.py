"""The ground floor: the words that every other package shares. It imports nothing of ours."""

"""The transaction journal at work: sent once, followed, replaced at a higher fee."""

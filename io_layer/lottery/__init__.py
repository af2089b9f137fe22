"""What only the lottery reads and writes."""

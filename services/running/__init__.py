"""What every run of a command stands on: its lease, its cancellation, its installation, its version."""

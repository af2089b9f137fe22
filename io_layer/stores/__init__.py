"""Tables that every product uses."""

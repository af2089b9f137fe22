"""What the lottery's contracts say, as core's values."""

"""What a deployment creates, from the terms that a person wrote."""

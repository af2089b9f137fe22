"""Days that are voided instead of settled."""

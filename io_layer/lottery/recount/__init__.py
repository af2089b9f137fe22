"""Gate G13: the day computed once more, by another way, with other libraries."""

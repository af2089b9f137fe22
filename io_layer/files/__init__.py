"""Files on disk that every product writes."""

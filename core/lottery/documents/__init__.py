"""The day's files as bytes: RFC 8785 JSON, streamed. docs/artifacts.md lists their fields."""

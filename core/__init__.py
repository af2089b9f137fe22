"""The rules of the game, pure: values in, values out. Numbers of rules are those of docs/rules.md."""

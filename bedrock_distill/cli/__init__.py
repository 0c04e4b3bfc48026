"""The command line: one file a noun, each with a `command`; `main.py` finds them, `common.py` is what they share."""

"""The documents of a run, and how they are stored, once."""

"""The command line: for a person at a shell. It does not ship to Lambda."""

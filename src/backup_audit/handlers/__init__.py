"""Lambda's entry points: each translates an event, makes one call, and answers."""

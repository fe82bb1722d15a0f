"""Notifies of what changed."""

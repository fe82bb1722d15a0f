"""Asks the Cloud Controller for the backups of many instances at the same time."""

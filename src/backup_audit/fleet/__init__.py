"""Which instances to audit, and under which policy."""

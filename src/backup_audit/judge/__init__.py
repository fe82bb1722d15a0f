"""What the evidence proves about an instance: pure."""

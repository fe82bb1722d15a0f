"""What changed, who hears of it, and how."""

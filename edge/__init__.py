"""What runs at the plant, and what it tells people."""

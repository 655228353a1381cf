"""What the line should do: physics, names and units; pure functions on arrays."""

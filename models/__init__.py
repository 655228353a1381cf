"""How odd it is what the line does: one detector a file, pure."""

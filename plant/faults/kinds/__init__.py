"""Every kind of fault that the plant knows: one file each, found by itself."""

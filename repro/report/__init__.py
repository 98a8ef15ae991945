"""Reports: they read the store and never run anything."""

"""The static HTML site and its feed."""

"""What an environment has, and what other versions would change."""

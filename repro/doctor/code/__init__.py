"""Whether a user's code names what a failure needs: read, never run."""

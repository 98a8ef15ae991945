"""The records of all failures: loading, checking, scaffolding, and their cells."""

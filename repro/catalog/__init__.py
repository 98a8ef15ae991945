"""The records of all failures: loading, checking, scaffolding, and the cells they give."""

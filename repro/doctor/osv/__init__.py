"""The catalogue as OSV records, for existing auditors."""

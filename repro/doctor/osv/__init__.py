"""The catalogue as OSV records, for auditors that people use already."""

"""Drafts of upstream reports: from the store and a record to files that a person may file.  Nothing is posted."""

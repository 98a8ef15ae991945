"""Lets the site's page itself answer like ``doctor`` to a pasted text: the script and the data that it needs."""

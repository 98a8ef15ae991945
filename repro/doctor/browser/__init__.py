"""The answers of ``doctor`` to a pasted text, given by the page itself: what the site's script needs to know."""

"""Questions that need many cells: they ask for cells and read verdicts, and know nothing of how a cell runs."""

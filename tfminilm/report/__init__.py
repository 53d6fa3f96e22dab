"""Results of a run: counts, quality, and a page that shows them."""

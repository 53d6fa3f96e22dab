"""What a run gave: counts, quality, and a page that shows them."""

"""Make students smaller: pruning, fewer word pieces, 8-bit training."""

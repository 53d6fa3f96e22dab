"""Smaller students: pruned, of fewer word pieces, trained for integers."""

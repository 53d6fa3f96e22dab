"""Write model cards: what a model is, how it was made, how well it does."""

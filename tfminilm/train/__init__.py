"""Recipes, strategies, checkpoints: how a run is made and survives."""

"""Recipes that several students share: what differs is an argument."""

"""Open a saved model and ask it: texts in, predictions or embeddings out."""

"""Keep what a teacher computes of texts, for students that learn from it."""

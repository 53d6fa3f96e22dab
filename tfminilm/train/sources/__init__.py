"""Open what a run trains on: each source gives one `TrainingData`."""

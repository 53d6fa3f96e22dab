"""Train students: recipes, jobs, the trainer, checkpoints."""

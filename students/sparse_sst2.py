"""Magnitude pruning: four of five encoder weights of a classifier are zero.

"To prune, or not to prune" (arXiv 1710.01878): the smallest weights of each
kernel become zero while the student learns, many at first and few at the end,
and the rest makes up for them. The student starts as its teacher, a BERT that
was fine-tuned on SST-2, and learns from it. It keeps its shape: what shrinks
is the compressed file, as a package for a phone is, not the time.

    tfminilm finetune --model=M --task=sst2 --workdir=runs/sst2
    tfminilm distill --config=sparse_sst2 --workdir=runs/sparse
    tfminilm evaluate --model=runs/sparse --task=sst2

The teacher is of 6 layers, 384 wide; another one with its own sizes:
--config.teacher=MODEL --config.student.hidden_dim=768. GLUE's own files:
--config.data.folder=FOLDER. Another share: --config.compress.sparsity=0.5.
Cost, computed: 1.6M tokens, 1.4e+14 FLOPs, 0.0003 hours on one A100 at
40 % of its bfloat16 peak. Measured with 600 steps: 0.8108 on the dev set, and
0.8865 with half of the weights, of 0.8991; see
docs/results/smaller_students.md.
`--config=sparse_sst2:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="sparse_sst2",
        teacher="runs/sst2",
        student=recipe.StudentSpec(
            num_layers=6,
            hidden_dim=384,
            intermediate_dim=1536,
            init="pruned",
        ),
        method=methods.SoftTargets(temperature=2.0, alpha=0.5),
        data=recipe.DataSpec(source="task:sst2", sequence_length=64),
        train=recipe.TrainSpec(
            steps=3_000,
            batch_size=32,
            learning_rate=5e-5,
            warmup_steps=100,
        ),
        compress=recipe.CompressSpec(sparsity=0.8),
    ).config(mode)

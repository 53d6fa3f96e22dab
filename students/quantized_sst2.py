"""Quantisation-aware distillation: a classifier that expects to be rounded.

Kernels and activations are rounded to 8 bits while the student learns, as in
"Quantization and Training of Neural Networks" (arXiv 1712.05877). It starts as
its teacher, a BERT that was fine-tuned on SST-2, and goes on learning from it,
unrounded, from its answers alone. In the end the kernels lie on the integers'
grid: a static int8 file of them holds the very numbers that it was trained
with.

    tfminilm finetune --model=M --task=sst2 --workdir=runs/sst2
    tfminilm distill --config=quantized_sst2 --workdir=runs/quantized
    tfminilm export --config=android_static_int8 --model=runs/quantized \\
        --output=bundle/

The teacher is of 6 layers, 384 wide; another one with its own sizes:
--config.teacher=MODEL --config.student.hidden_dim=768. GLUE's own files:
--config.data.folder=FOLDER.
Cost, computed: 0.5M tokens, 4.5e+13 FLOPs, 0.0001 hours on one A100 at
40 % of its bfloat16 peak. Measured: 0.8968 on the dev set as a static int8
file, as after rounding without it, with a quarter fewer answers other than
float32's; see docs/results/smaller_students.md.
`--config=quantized_sst2:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="quantized_sst2",
        teacher="runs/sst2",
        student=recipe.StudentSpec(
            num_layers=6,
            hidden_dim=384,
            intermediate_dim=1536,
            dropout=0.0,
            init="pruned",
        ),
        method=methods.SoftTargets(temperature=2.0, alpha=1.0),
        data=recipe.DataSpec(source="task:sst2", sequence_length=64),
        train=recipe.TrainSpec(
            steps=1_000,
            batch_size=32,
            learning_rate=3e-6,
            warmup_steps=100,
            evaluate_every=500,
            precision="float32",
        ),
        compress=recipe.CompressSpec(quantization_aware=True),
    ).config(mode)

"""BERT-PKD 3x768 (45.3M) from a fine-tuned BERT-base: patient with layers.

BERT-PKD (arXiv 1908.09355), PKD-Skip: soft targets and labels, and the
normalised [CLS] states of the teacher's layers 4 and 8 for the
student's first two. It starts from the teacher's three lower layers and learns
SST-2 in four epochs of batches of 32. The paper searches alpha, T, beta and
the learning rate (1, 2 or 5e-5) for each task; these stand in the middle.

    tfminilm finetune --model=bert_base_en_uncased --task=sst2 \\
        --workdir=runs/bert_sst2
    tfminilm distill --config=pkd_l3_h768 --workdir=runs/pkd_l3
    tfminilm evaluate --model=runs/pkd_l3 --task=sst2

Another task: --config.data.source=task:mnli, with its own teacher and steps.
GLUE's own files: --config.data.folder=FOLDER.
Cost, computed: 7M tokens, 2.1e+15 FLOPs, 0.005 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=pkd_l3_h768:smoke` tries it out in seconds.
"""

from tfminilm.recipes.patient_kd import patient_kd


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return patient_kd("pkd_l3_h768", 3).config(mode)

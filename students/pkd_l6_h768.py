"""BERT-PKD 6x768 (66.5M) from a fine-tuned BERT-base: patient with layers.

BERT-PKD (arXiv 1908.09355), PKD-Skip: soft targets and labels, and the
normalised [CLS] states of the teacher's layers 2, 4, 6, 8 and 10 for the
student's first five. It starts from the six lower layers of BERT-base as it was
pre-trained and learns SST-2 in four epochs of batches of 32.
The paper searches alpha, T, beta and the learning rate for each task, and the
code whether states are normalised. What stands here is the authors' choice for
SST-2: alpha 0.5, T 10, beta 100, 5e-5, normalised, and the soft targets'
mean over classes as well as examples. The best by the dev set of the four
epochs' models is kept, as there.

    tfminilm finetune --model=bert_base_en_uncased --task=sst2 \\
        --workdir=runs/bert_sst2
    tfminilm distill --config=pkd_l6_h768 --workdir=runs/pkd_l6
    tfminilm evaluate --model=runs/pkd_l6 --task=sst2

Another task: --config.data.source=task:mnli, with its own teacher and steps.
GLUE's own files: --config.data.folder=FOLDER.
GLUE test, paper: MNLI-m 81.5, MNLI-mm 81.0.
Dev, authors' code: 91.1.
Cost, computed: 7M tokens, 3.0e+15 FLOPs, 0.007 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=pkd_l6_h768:smoke` tries it out in seconds.
"""

from tfminilm.recipes.patient_kd import patient_kd


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    recipe = patient_kd(
        "pkd_l6_h768", 6, alpha=0.5, beta=100.0, temperature=10.0
    )
    return recipe.config(mode)

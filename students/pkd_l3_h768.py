"""BERT-PKD 3x768 (45.3M) from a fine-tuned BERT-base: patient with layers.

BERT-PKD (arXiv 1908.09355), PKD-Skip: soft targets and labels, and the
normalised [CLS] states of the teacher's layers 4 and 8 for the student's first
two. It starts from the three lower layers of BERT-base as it was pre-trained
and learns SST-2 in four epochs of batches of 32.
The paper searches alpha, T, beta and the learning rate for each task, and the
code whether states are normalised. What stands here is the authors' choice for
SST-2: alpha 0.2, T 20, beta 1, 5e-5, normalised, and the soft targets'
mean over classes as well as examples. The best by the dev set of the four
epochs' models is kept, as there.

    tfminilm finetune --model=bert_base_en_uncased --task=sst2 \\
        --workdir=runs/bert_sst2
    tfminilm distill --config=pkd_l3_h768 --workdir=runs/pkd_l3
    tfminilm evaluate --model=runs/pkd_l3 --task=sst2

Another task: --config.data.source=task:mnli, with its own teacher and steps.
GLUE's own files: --config.data.folder=FOLDER.
Dev, authors' code: 88.1.
Cost, computed: 7M tokens, 2.1e+15 FLOPs, 0.005 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=pkd_l3_h768:smoke` tries it out in seconds.
"""

from tfminilm.recipes.patient_kd import patient_kd


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    recipe = patient_kd("pkd_l3_h768", 3, alpha=0.2, beta=1.0, temperature=20.0)
    return recipe.config(mode)

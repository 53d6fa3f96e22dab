"""Distilled BiLSTM (9.8M) on SST-2 from a fine-tuned BERT.

Distilled BiLSTM-soft (arXiv 1903.12136): a bidirectional LSTM on word vectors
learns the teacher's logits, with a squared distance and no labels, on the
training sentences and twenty changed copies of each: words masked or replaced
by others of their part of speech, and cuts of one to five words. Batches of
50, 150 units in each direction and a ReLU layer of 400; the paper tries 300 and
200 as well, on the dev set. The best model by the dev set is kept. The paper
reads whole words and has word2vec's vectors of them twice, once fixed and once
trained; here the words are the teacher's pieces, with one vector each, which
starts at random and is trained. The paper's Adadelta is AdamW here, for three
epochs.

    tfminilm finetune --model=bert_large_en_uncased --task=sst2 \\
        --workdir=runs/bert_large_sst2
    tfminilm distill --config=bilstm_sst2 --workdir=runs/bilstm_sst2
    tfminilm evaluate --model=runs/bilstm_sst2 --task=sst2

Parts of speech take the package HanTa (pip install "tfminilm[augment]"), or
--config.data.replace_words=False. GLUE's own files:
--config.data.folder=FOLDER.
Test, paper: 90.7 (BERT-large 94.9, the same LSTM on labels alone 86.7).
Cost, computed: 54M tokens, 3.3e+16 FLOPs, 0.07 hours on one A100 at
40 % of its bfloat16 peak. Not run at full scale: no result of our own.
`--config=bilstm_sst2:smoke` tries it out in seconds.
"""

from tfminilm import methods
from tfminilm.train import recipe


def get_config(mode: str = ""):
    """Return the recipe; mode "smoke" shrinks it."""
    return recipe.Recipe(
        name="bilstm_sst2",
        teacher="runs/bert_large_sst2",
        student=recipe.StudentSpec(
            kind="bilstm",
            num_layers=1,
            embedding_dim=300,
            lstm_units=150,
            hidden_dim=400,
        ),
        method=methods.BiLSTMSoft(),
        data=recipe.DataSpec(
            source="task:sst2", sequence_length=128, augment_copies=20
        ),
        train=recipe.TrainSpec(
            steps=83_000,
            batch_size=50,
            learning_rate=1e-3,
            warmup_steps=500,
            best_by="score",
        ),
    ).config(mode)

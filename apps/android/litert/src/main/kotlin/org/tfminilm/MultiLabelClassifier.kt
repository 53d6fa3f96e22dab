package org.tfminilm

/** Which of several labels a text has, and how likely each is. */
class LabelScores(
    val labels: List<String>,
    /** Of each label, each for itself: they do not add up to 1. */
    val probabilities: FloatArray,
    thresholds: DoubleArray,
) {
    /** The indices of the labels that the text has, in the model's order; there may be none. */
    val chosen: List<Int> = labels.indices.filter { probabilities[it] >= thresholds[it] }

    override fun toString() = chosen.joinToString { "${labels[it]} ${probabilities[it]}" }
}

/**
 * Says which labels a text has, or a pair of texts: any number of them. What is
 * too long is not read to its end.
 */
class MultiLabelClassifier(bundle: ModelBundle, engine: Engine) {
    private val labels = bundle.manifest.labels
    private val thresholds = requireNotNull(bundle.manifest.thresholds) { "no bundle of several labels" }
    private val texts = TextRunner(bundle, engine, "logits")

    /**
     * The output called logits is probabilities already.
     *
     * @param other the second text, of a model that reads two (`manifest.texts`).
     */
    @JvmOverloads
    fun classify(text: String, other: String? = null): LabelScores =
        LabelScores(labels, texts.run(text, other), thresholds)
}

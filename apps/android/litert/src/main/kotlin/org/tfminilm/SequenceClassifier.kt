package org.tfminilm

import kotlin.math.exp
import kotlin.math.roundToInt

/** What a text is, and how sure the model is of it. */
class Classification @JvmOverloads constructor(
    val labels: List<String>,
    /** Of each label; they add up to 1. */
    val probabilities: FloatArray,
    val logits: FloatArray,
    unsureBelow: Double? = null,
) {
    /** The index of the likeliest label. */
    val best: Int = logits.indices.maxByOrNull { logits[it] } ?: 0

    /** Whether it is as likely as the bundle asks for; say that it is unsure where not. */
    val isSure: Boolean = unsureBelow == null || probabilities[best] >= unsureBelow

    override fun toString() = "${labels[best]} ${(100 * probabilities[best]).roundToInt()} %"
}

/** Classifies texts, or pairs of texts; what is too long is not read to its end. */
class SequenceClassifier(bundle: ModelBundle, engine: Engine) {
    private val names = bundle.manifest.labels
    private val unsureBelow = bundle.manifest.calibration?.unsureBelow
    private val texts = TextRunner(bundle, engine, "logits")

    /** @param other the second text, of a model that reads two (`manifest.texts`). */
    @JvmOverloads
    fun classify(text: String, other: String? = null): Classification {
        val logits = texts.run(text, other)
        val labels = List(logits.size) { names.getOrElse(it) { index -> index.toString() } }
        return Classification(labels, softmax(logits), logits, unsureBelow)
    }
}

/** Probabilities of logits. */
internal fun softmax(logits: FloatArray): FloatArray {
    val largest = logits.maxOrNull() ?: 0f
    val powers = FloatArray(logits.size) { exp(logits[it] - largest) }
    val sum = powers.sum()
    return FloatArray(logits.size) { powers[it] / sum }
}

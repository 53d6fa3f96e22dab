package org.tfminilm

import kotlin.math.exp

/** What a text is, and how sure the model is of it. */
class Classification(
    val labels: List<String>,
    /** Of each label; they add up to 1. */
    val probabilities: FloatArray,
    val logits: FloatArray,
) {
    /** The index of the likeliest label. */
    val best: Int = logits.indices.maxByOrNull { logits[it] } ?: 0
}

/** Classifies single texts; the end of a text that is too long is not read. */
class TextClassifier(bundle: Bundle, private val engine: Engine) {
    private val settings = bundle.manifest.tokenizer
    private val names = bundle.manifest.labels
    private val tokenizer = bundle.tokenizer()
    private val tokens = Tokens()
    private val sequence = Sequence(engine.maxLength)

    fun classify(text: String): Classification {
        tokenizer.encode(text, tokens, limit = engine.maxLength - 2)
        sequence.clear()
        sequence.add(settings.cls, 0)
        sequence.add(tokens, 0, tokens.size, 0)
        sequence.add(settings.sep, 0)
        val output = engine.run(sequence).getValue("logits")
        val logits = FloatArray(output.capacity()) { output.get(it) }
        val labels = List(logits.size) { names.getOrElse(it) { index -> index.toString() } }
        return Classification(labels, softmax(logits), logits)
    }
}

/** Probabilities of logits. */
internal fun softmax(logits: FloatArray): FloatArray {
    val largest = logits.maxOrNull() ?: 0f
    val powers = FloatArray(logits.size) { exp(logits[it] - largest) }
    val sum = powers.sum()
    return FloatArray(logits.size) { powers[it] / sum }
}

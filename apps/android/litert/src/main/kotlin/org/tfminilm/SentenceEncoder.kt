@file:JvmName("Vectors")

package org.tfminilm

import kotlin.math.sqrt

/** Turns texts into vectors whose dot product says how near their meanings are. */
class SentenceEncoder(bundle: ModelBundle, engine: Engine) {
    private val texts = TextRunner(bundle, engine, "sentence_embedding")
    private val prompt = bundle.manifest.prompt

    /**
     * A vector of length 1; the end of a text that is too long is not read.
     *
     * @param prompt what stands in front of the text; if not given, what the manifest says.
     */
    @JvmOverloads
    fun encode(text: String, prompt: String = this.prompt): FloatArray {
        val vector = texts.run(prompt + text)
        val norm = sqrt(vector.fold(0.0) { sum, x -> sum + x.toDouble() * x }).toFloat()
        if (norm > 0) for (index in vector.indices) vector[index] /= norm
        return vector
    }
}

/** The cosine of two vectors of length 1: 1 for the same meaning, about 0 for none in common. */
fun cosine(a: FloatArray, b: FloatArray): Float {
    require(a.size == b.size) { "vectors of ${a.size} and ${b.size} numbers" }
    var sum = 0f
    for (index in a.indices) sum += a[index] * b[index]
    return sum
}

package org.tfminilm

/** Gives a text a number, or two texts how they go together: a model of regression. */
class TextScorer(bundle: ModelBundle, engine: Engine) {
    private val texts = TextRunner(bundle, engine, "logits")

    init {
        require(bundle.manifest.task == TaskKind.REGRESSION) { "no bundle of regression" }
    }

    /**
     * A score, in the units of what the model learned from.
     *
     * @param other the second text, of a model that reads two (`manifest.texts`).
     */
    @JvmOverloads
    fun score(text: String, other: String? = null): Float = texts.run(text, other).single()
}

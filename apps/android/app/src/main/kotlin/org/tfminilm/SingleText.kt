package org.tfminilm

/** Runs a model on one text; the end of a text that is too long is not read. */
internal class SingleText(bundle: Bundle, private val engine: Engine, private val output: String) {
    private val settings = bundle.manifest.tokenizer
    private val tokenizer = bundle.tokenizer()
    private val tokens = Tokens()
    private val sequence = Sequence(engine.maxLength)

    fun run(text: String): FloatArray {
        tokenizer.encode(text, tokens, limit = engine.maxLength - 2)
        sequence.clear()
        sequence.add(settings.cls, 0)
        sequence.add(tokens, 0, tokens.size, 0)
        sequence.add(settings.sep, 0)
        val found = engine.run(sequence).getValue(output)
        return FloatArray(found.capacity()) { found.get(it) }
    }
}

package org.tfminilm

/** Runs a model on one text, or on two that it reads together, cut where they are too long. */
internal class TextRunner(bundle: ModelBundle, private val engine: Engine, private val output: String) {
    private val count = bundle.manifest.texts
    private val settings = bundle.manifest.tokenizer
    private val tokenizer = bundle.tokenizer()
    private val first = Tokens()
    private val second = Tokens()
    private val sequence = TokenSequence(engine.maxLength)

    /** Threads wait for each other: they would write into the same buffers. */
    fun run(text: String, other: String? = null): FloatArray = synchronized(engine) {
        require(count == if (other == null) 1 else 2) { "the model reads $count texts" }
        sequence.clear()
        sequence.add(settings.cls, 0)
        if (other == null) addOne(text) else addTwo(text, other)
        val numbers = engine.run(sequence).getValue(output)
        FloatArray(numbers.capacity()) { numbers.get(it) }
    }

    private fun addOne(text: String) {
        tokenizer.encode(text, first, limit = engine.maxLength - 2)
        sequence.add(first, 0, first.size, 0)
        sequence.add(settings.sep, 0)
    }

    /** Of two texts that are too long the longer one is cut first. */
    private fun addTwo(text: String, other: String) {
        val room = engine.maxLength - 2 - settings.separators
        tokenizer.encode(text, first, limit = room)
        tokenizer.encode(other, second, limit = room)
        val kept = minOf(first.size, maxOf(room - second.size, (room + 1) / 2))
        sequence.add(first, 0, kept, 0)
        repeat(settings.separators) { sequence.add(settings.sep, 0) }
        sequence.add(second, 0, room - kept, 1)
        sequence.add(settings.sep, 1)
    }
}

package org.tfminilm

import org.junit.Assert.assertEquals
import org.junit.Assert.assertSame
import org.junit.Assert.assertThrows
import org.junit.Test
import org.tensorflow.lite.Interpreter

class LiteRtEngineTest {
    private val bundle = Golden.bundle("small/encoder")
    private val names = bundle.manifest.signatures.map { it.name }

    private fun sequence(size: Int) = TokenSequence(size).also { row -> repeat(size) { row.add(it, 0) } }

    private fun runs(work: () -> Unit): List<String> {
        Interpreter.runs.clear()
        work()
        return Interpreter.runs.toList()
    }

    @Test
    fun `takes the shortest signature that fits`() {
        LiteRtEngine(bundle).use { engine ->
            for ((size, index) in mapOf(1 to 0, 16 to 0, 17 to 1, 48 to 1, 49 to 2, 128 to 2)) {
                assertEquals(listOf(names[index]), runs { engine.run(sequence(size)) })
            }
            assertThrows(IllegalArgumentException::class.java) { engine.run(sequence(129)) }
        }
    }

    @Test
    fun `padding says nothing`() = LiteRtEngine(bundle).use { engine ->
        val vectors = ArrayList<FloatArray>()
        for (texts in listOf(listOf("a b c"), listOf("word ".repeat(100), "a b c"))) {
            val encoder = SentenceEncoder(bundle, engine)
            vectors += texts.map(encoder::encode).last()
        }
        assertEquals(1f, cosine(vectors[0], vectors[1]), 1e-6f)
    }

    @Test
    fun `warms every length up`() = LiteRtEngine(bundle).use { engine ->
        assertEquals(names, runs { engine.warmUp() })
    }

    @Test
    fun `runs in the same buffers`() = LiteRtEngine(bundle).use { engine ->
        val first = engine.run(sequence(3)).getValue("sentence_embedding")
        assertSame(first, engine.run(sequence(5)).getValue("sentence_embedding"))
    }
}

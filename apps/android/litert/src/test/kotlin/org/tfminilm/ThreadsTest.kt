package org.tfminilm

import java.util.concurrent.Callable
import java.util.concurrent.Executors
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** One engine, and what is built on it, from several threads at once. */
class ThreadsTest {
    private fun <T> atOnce(count: Int, work: (Int) -> T): List<T> {
        val pool = Executors.newFixedThreadPool(4)
        try {
            return pool.invokeAll(List(count) { Callable { work(it) } }).map { it.get() }
        } finally {
            pool.shutdownNow()
        }
    }

    @Test
    fun `a classifier gives each thread its own answer`() {
        val bundle = Golden.bundle("small/classification")
        LiteRtEngine(bundle).use { engine ->
            val classifier = SequenceClassifier(bundle, engine)
            val texts = List(8) { "word ".repeat(1 + it) + "number $it" }
            val alone = texts.map { classifier.classify(it).logits }
            atOnce(200) { it % texts.size to classifier.classify(texts[it % texts.size]).logits }
                .forEach { (text, logits) -> assertArrayEquals(alone[text], logits, 0f) }
        }
    }

    @Test
    fun `two answerers of one engine, each with its own text`() {
        val bundle = Golden.bundle("small/question_answering")
        LiteRtEngine(bundle).use { engine ->
            val answerers = List(2) { QuestionAnswerer(bundle, engine) }
            val rows = Golden.rows("question_answering.jsonl").take(4).toList()
            fun scores(at: Int) = answerers[at % 2]
                .answer(rows[at % 4].getString("question"), rows[at % 4].getString("text"))
                .answers.map { it.score }
            val alone = List(4, ::scores)
            atOnce(60) { it % 4 to scores(it) }
                .forEach { (row, scores) -> assertEquals(alone[row], scores) }
        }
    }

    @Test
    fun `an engine that another thread closes says so`() {
        val bundle = Golden.bundle("small/classification")
        val engine = LiteRtEngine(bundle)
        val classifier = SequenceClassifier(bundle, engine)
        val closed = IllegalStateException::class.java
        val runs = atOnce(40) { at ->
            if (at == 20) engine.close()
            try {
                classifier.classify("A text $at").labels.size
            } catch (error: IllegalStateException) {
                0
            }
        }
        assertEquals(setOf(0, 3), runs.toSet())
        for (work in listOf({ engine.warmUp() }, { classifier.classify("a") })) {
            assertEquals("The model is closed: open it again", assertThrows(closed) { work() }.message)
        }
        engine.close()
    }
}

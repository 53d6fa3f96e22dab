package org.tfminilm.coroutines

import java.nio.FloatBuffer
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withContext
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.tfminilm.Cancellation
import org.tfminilm.Engine
import org.tfminilm.FolderFiles
import org.tfminilm.Golden
import org.tfminilm.LiteRtEngine
import org.tfminilm.ModelBundle
import org.tfminilm.SequenceClassifier
import org.tfminilm.TokenSequence

class TextModelTest {
    private val files = FolderFiles(Golden.file("classification"))
    private val texts = Golden.rows("classification.jsonl").take(40).map { it.getString("text") }.toList()

    private fun expected(): List<FloatArray> {
        val bundle = ModelBundle.open(files)
        LiteRtEngine(bundle).use { engine ->
            val classifier = SequenceClassifier(bundle, engine)
            return texts.map { classifier.classify(it).logits }
        }
    }

    @Test
    fun `many coroutines on many threads get their own answers`() = runBlocking {
        val expected = expected()
        TextModel.open(files).use { model ->
            val found = withContext(Dispatchers.Default) {
                texts.map { async(Dispatchers.IO) { model.classify(it).logits } }.awaitAll()
            }
            for (at in texts.indices) assertArrayEquals(expected[at], found[at], 0f)
        }
    }

    @Test
    fun `a flow gets an answer for each text that it asks for`() = runBlocking {
        val counting = CountingEngine()
        TextModel.open(files) { counting.around(LiteRtEngine(it)) }.use { model ->
            val found = model.classify(texts.asFlow()).take(3).toList()
            val expected = expected()
            for (at in found.indices) assertArrayEquals(expected[at], found[at].logits, 0f)
            assertEquals(3, counting.runs)
        }
    }

    /** As a run of Android's: it ends when it is told to, and not before. */
    @Test
    fun `a cancelled coroutine stops the run that it is in, and no other`() = runBlocking {
        val engine = StuckEngine()
        TextModel.open(files) { engine.around(LiteRtEngine(it)) }.use { model ->
            engine.isStuck = true
            val stuck = launch(Dispatchers.Default) { model.classify(texts[0]) }
            engine.isIn.await()
            // Behind it in the queue.
            val waiting = async(Dispatchers.Default) { model.classify(texts[1]).logits }
            stuck.cancelAndJoin()
            engine.isStuck = false
            assertTrue(engine.wasStopped)
            assertArrayEquals(expected()[1], waiting.await(), 0f)
        }
    }

    @Test
    fun `a cancelled coroutine leaves the queue without a run`() = runBlocking {
        val engine = StuckEngine()
        TextModel.open(files) { engine.around(LiteRtEngine(it)) }.use { model ->
            engine.isStuck = true
            val stuck = launch(Dispatchers.Default) { model.classify(texts[0]) }
            engine.isIn.await()
            val waiting = launch(Dispatchers.Default) { model.classify(texts[1]) }
            waiting.cancelAndJoin()
            assertEquals(1, engine.runs)
            stuck.cancelAndJoin()
        }
    }

    @Test
    fun `a question is given up between two windows`() = runBlocking {
        val counting = CountingEngine()
        val question = FolderFiles(Golden.file("question_answering"))
        TextModel.open(question) { counting.around(LiteRtEngine(it)) }.use { model ->
            val asked = launch(Dispatchers.Default) { model.answer("Who?", "Ann and Bob. ".repeat(20_000)) }
            while (counting.runs < 2) Thread.sleep(1)
            asked.cancelAndJoin()
            assertTrue("${counting.runs} runs", counting.runs < 400)
        }
    }

    @Test
    fun `what the engine refuses is thrown to who asked`() {
        runBlocking {
            TextModel.open(files).use { model ->
                val error = runCatching { model.classify("one", "two") }.exceptionOrNull()
                assertTrue("$error", error is IllegalArgumentException)
                assertEquals(3, model.classify("after it").labels.size)
            }
        }
    }

    @Test
    fun `a cancellation ends a run once, and the next run is as any other`() {
        val bundle = ModelBundle.open(files)
        LiteRtEngine(bundle).use { engine ->
            val sequence = TokenSequence(2).also { it.add(101, 0) }
            val cancelled = Cancellation().also { it.cancel() }
            assertThrows(CancellationException::class.java) { engine.run(sequence, cancelled) }
            val alone = engine.run(sequence).getValue("logits").get(0)
            assertEquals(alone, engine.run(sequence, Cancellation()).getValue("logits").get(0), 0f)
        }
    }

    /**
     * On the library that a phone loads: whether it stopped within a run shows
     * in the time, so many are tried.
     */
    @Test
    fun `a run that is in progress can be stopped on any runtime`() {
        val bundle = ModelBundle.open(files)
        LiteRtEngine(bundle).use { engine ->
            val sequence = TokenSequence(engine.maxLength)
            repeat(engine.maxLength) { sequence.add(1000 + it, 0) }
            val expected = engine.run(sequence).getValue("logits").get(0)
            repeat(200) {
                val cancellation = Cancellation()
                val other = Thread { cancellation.cancel() }.also { it.start() }
                try {
                    assertEquals(expected, engine.run(sequence, cancellation).getValue("logits").get(0), 0f)
                } catch (_: CancellationException) {
                    // As asked for.
                }
                other.join()
                assertEquals(expected, engine.run(sequence).getValue("logits").get(0), 0f)
            }
        }
    }
}

/** Counts runs of another engine. */
private open class CountingEngine {
    @Volatile
    var runs = 0

    open fun around(engine: Engine): Engine = object : Engine by engine {
        override fun run(sequence: TokenSequence, cancellation: Cancellation): Map<String, FloatBuffer> {
            runs++
            return engine.run(sequence, cancellation)
        }
    }
}

/** Runs until it is told to stop. */
private class StuckEngine : CountingEngine() {
    val isIn = CountDownLatch(1)

    @Volatile
    var isStuck = false

    @Volatile
    var wasStopped = false

    override fun around(engine: Engine): Engine = object : Engine by engine {
        override fun run(sequence: TokenSequence, cancellation: Cancellation): Map<String, FloatBuffer> {
            runs++
            isIn.countDown()
            val end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60)
            while (isStuck && !cancellation.isCancelled && System.nanoTime() < end) Thread.sleep(1)
            wasStopped = wasStopped || cancellation.isCancelled
            return engine.run(sequence, cancellation)
        }
    }
}

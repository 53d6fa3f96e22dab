package org.tfminilm

import java.lang.management.ManagementFactory
import java.util.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The tokenizers of bundles, against what Python says of the same texts. */
class TokenizerTest {
    private val tokens = Tokens(1)

    @Test
    fun `gives the ids and places of the training's tokenizer`() = BUNDLES.forEach { (name, rows) ->
        val tokenizer = Golden.bundle(name).tokenizer()
        val wrong = ArrayList<String>()
        var count = 0
        for (row in Golden.rows(rows)) {
            count++
            val text = row.getString("text")
            tokenizer.encode(text, tokens)
            val ids = tokens.ids.take(tokens.size)
            val spans = ids.indices.flatMap { listOf(tokens.starts[it], tokens.ends[it]) }
            val wanted = row.getJSONArray("ids").ints().asList()
            val wantedSpans = row.optJSONArray("spans")?.ints()?.asList() ?: spans
            if (ids != wanted) wrong += "$text: ids $ids, expected $wanted"
            else if (spans != wantedSpans) wrong += "$text: at $spans, expected $wantedSpans"
        }
        println("$rows: $count lines, ${wrong.size} wrong")
        assertEquals(wrong.take(8).joinToString("\n"), 0, wrong.size)
    }

    @Test
    fun `is quick and allocates nothing for a token`() = BUNDLES.forEach { (name, rows) ->
        val tokenizer = Golden.bundle(name).tokenizer()
        val lines = Golden.rows(rows).map { it.getString("text") }.take(1000)
        val text = lines.joinToString("\n").let { it.repeat(1 + 1_000_000 / it.length) }
        repeat(5) { tokenizer.encode(text, tokens) }
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        val id = Thread.currentThread().id
        val before = threads.getThreadAllocatedBytes(id)
        val start = threads.currentThreadCpuTime // Without other programs'.
        tokenizer.encode(text, tokens)
        val seconds = (threads.currentThreadCpuTime - start) / 1e9
        val bytes = threads.getThreadAllocatedBytes(id) - before
        assertTrue("$seconds seconds", seconds < 1)
        println(
            "$rows: %.0f ms for %d characters, %d tokens, %d bytes allocated"
                .format(1000 * seconds, text.length, tokens.size, bytes),
        )
        assertTrue("$bytes bytes for ${tokens.size} tokens", bytes < tokens.size)
    }

    @Test
    fun `reads ten million characters of anything`() = BUNDLES.forEach { (name, _) ->
        val tokenizer = Golden.bundle(name).tokenizer()
        val random = Random(0)
        val binary = String(CharArray(TEN_MILLION) { random.nextInt(0x10000).toChar() })
        tokenizer.encode(binary, tokens)
        assertTrue(tokens.size > 0)
        var reached = 0
        for (index in 0 until tokens.size) {
            assertTrue(tokens.starts[index] in 0..tokens.ends[index])
            assertTrue(tokens.ends[index] in reached..binary.length)
            reached = tokens.ends[index]
        }
    }

    @Test
    fun `stops at a limit with what it would have had`() = BUNDLES.forEach { (name, rows) ->
        val tokenizer = Golden.bundle(name).tokenizer()
        val few = Tokens()
        for (row in Golden.rows(rows).take(100)) {
            tokenizer.encode(row.getString("text"), tokens)
            tokenizer.encode(row.getString("text"), few, limit = 7)
            assertEquals(tokens.ids.take(minOf(7, tokens.size)), few.ids.take(few.size))
        }
    }

    @Test
    fun `a part of a text is as a text of its own`() = BUNDLES.forEach { (name, rows) ->
        val tokenizer = Golden.bundle(name).tokenizer()
        val part = Tokens()
        for (row in Golden.rows(rows).take(100)) {
            val text = row.getString("text")
            tokenizer.encode(text, tokens)
            tokenizer.encode("xy${text}z", part, start = 2, end = 2 + text.length)
            assertEquals(tokens.ids.take(tokens.size), part.ids.take(part.size))
            assertEquals(tokens.ends.take(tokens.size), part.ends.take(part.size).map { it - 2 })
        }
    }

    private companion object {
        const val TEN_MILLION = 10_000_000
        val BUNDLES = mapOf(
            "encoder" to "tokens_bert.jsonl",
            "keras_hub" to "tokens_keras_hub.jsonl",
            "multilingual" to "pieces.jsonl",
        )
    }
}

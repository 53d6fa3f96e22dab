package org.tfminilm

import java.nio.FloatBuffer
import java.util.Random
import java.util.concurrent.CancellationException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class QuestionAnswererTest {
    private val bundle = Golden.bundle("small/question_answering")
    private val lengths = ArrayList<Int>()

    /** Finds the token of [wanted] and nothing else. */
    private inner class Finder(private val wanted: Int) : Engine {
        override val maxLength = 128

        override fun run(sequence: TokenSequence): Map<String, FloatBuffer> {
            lengths += sequence.size
            val first = sequence.segments.indexOf(1)
            val logits = FloatArray(maxLength) {
                if (it == 0) 0f else if (it in first until sequence.size && sequence.ids[it] == wanted) 9f else -9f
            }
            return mapOf(
                "start_logits" to FloatBuffer.wrap(logits),
                "end_logits" to FloatBuffer.wrap(logits),
            )
        }

        override fun close() = Unit
    }

    private fun idOf(word: String): Int {
        val tokens = Tokens()
        bundle.tokenizer().encode(word, tokens)
        return tokens.ids[0]
    }

    @Test
    fun `finds an answer at any place of a long text`() {
        val answerer = QuestionAnswerer(bundle, Finder(idOf("zebra")))
        for (before in listOf(0, 1, 100, 117, 118, 4999)) {
            val text = "word ".repeat(before) + "\ud83d\ude00 ZÉBRA!" + " word".repeat(4999 - before)
            val best = answerer.answer("What is it?", text).answers.first()
            assertEquals("ZÉBRA", text.substring(best.start, best.end))
        }
    }

    @Test
    fun `says that there is no answer`() {
        val found = QuestionAnswerer(bundle, Finder(-1)).answer("What?", "some words")
        assertEquals(0, found.answers.size)
        assertEquals(18f, found.noAnswerScore, 0f)
    }

    @Test
    fun `a blank text, an empty question, a huge question`() {
        val answerer = QuestionAnswerer(bundle, Finder(idOf("zebra")))
        for (text in listOf("", " \n", "\u200b")) {
            val error = assertThrows(IllegalArgumentException::class.java) {
                answerer.answer("What?", text)
            }
            assertTrue(error.message, "The text is blank" in error.message!!)
        }
        assertEquals(1, answerer.answer("", "zebra").answers.size)
        assertEquals(1, answerer.answer("why ".repeat(100_000), "zebra").answers.size)
    }

    @Test
    fun `tokenises a long text once for all its questions`() {
        val bundle = Golden.bundle("question_answering")
        val words = Golden.rows("tokens_bert.jsonl").flatMap { it.getString("text").split(" ") }
        val text = words.take(5000).joinToString(" ")
        val own = bundle.tokenizer()
        val read = ArrayList<Int>()
        val counting = object : Tokenizer() {
            override fun encode(text: String, into: Tokens, start: Int, end: Int, limit: Int) {
                read += end - start
                own.encode(text, into, start, end, limit)
            }
        }
        LiteRtEngine(bundle).use { engine ->
            val warm = QuestionAnswerer(bundle, engine)
            repeat(3) { warm.answer("$it?", "$it $text") }
            val answerer = QuestionAnswerer(bundle, engine, counting)
            var windows = 0
            val times = listOf("Who was it?", "When was it?").map {
                time { windows = answerer.answer(it, text).windows }
            }
            val alone = time { own.encode(text, Tokens()) }
            println(
                "5000 words: %d windows, first question %.1f ms, second %.1f, tokenising alone %.1f"
                    .format(windows, times[0], times[1], alone),
            )
        }
        assertEquals(listOf(text.length, 11, 12), read)
    }

    private fun time(work: () -> Unit): Double {
        val start = System.nanoTime()
        work()
        return (System.nanoTime() - start) / 1e6
    }

    @Test
    fun `keeps the best of many answers`() {
        val count = 3000
        val tokens = Tokens().also { all -> repeat(count) { all.add(0, it, it + 1) } }
        val random = Random(0)
        val logits = FloatArray(count) { random.nextFloat() }
        val best = BestAnswers(maxTokens = 1)
        for (start in 0 until count step 10) {
            val window = FloatBuffer.wrap(FloatArray(11) { if (it == 0) 0f else logits[start + it - 1] })
            best.add(window, window, 1, 10, tokens, start)
        }
        val found = best.answers(".".repeat(count), null, 1).answers
        val wanted = (0 until count).sortedByDescending { logits[it] }.take(20)
        assertEquals(wanted, found.map { it.start })
    }

    @Test
    fun `stops between windows`() {
        val answerer = QuestionAnswerer(bundle, Finder(-1))
        assertThrows(CancellationException::class.java) {
            answerer.answer("What?", "word ".repeat(5000)) { lengths.size >= 3 }
        }
        assertEquals(3, lengths.size)
    }

    @Test
    fun `answers have whole words`() {
        val cases = listOf(
            Triple("of Ann's", "nn", "Ann"),
            Triple("of Ann's", " Ann", "Ann"),
            Triple("of Ann's", "nn'", "Ann'"),
            Triple("of Ann's", " ", ""),
            Triple("Ann", "Ann", "Ann"),
            Triple("a\u0301b c", "b", "a\u0301b"),
            Triple("the 1990s,", "1990", "1990s"),
            Triple("x_y", "y", "y"),
            Triple("\u041c\u043e\u0441\u043a", "\u043e\u0441", "\u041c\u043e\u0441\u043a"),
            Triple("\ud835\udc00\ud835\udc01", "\ud835\udc01", "\ud835\udc00\ud835\udc01"),
            Triple("\u5317\u4eac\u5e02", "\u4eac", "\u4eac"),
            Triple("\uc11c\uc6b8\uc5d0\uc11c", "\uc11c\uc6b8", "\uc11c\uc6b8"),
            Triple("\u0e01\u0e23\u0e38\u0e07", "\u0e23", "\u0e23"),
            Triple("\u5317A1", "1", "A1"),
        )
        for ((text, part, whole) in cases) {
            val at = text.indexOf(part)
            val (start, end) = text.wholeWords(at, at + part.length)
            assertEquals(whole, text.substring(start, end))
        }
    }

    @Test
    fun `two parts of a word are one answer`() {
        val tokens = Tokens().also { all -> for (at in 0 until 5) all.add(0, at, at + 1) }
        val logits = FloatBuffer.wrap(floatArrayOf(0f, 5f, 4f, 3f, 2f, 1f))
        val best = BestAnswers(maxTokens = 1).also { it.add(logits, logits, 1, 5, tokens, 0) }
        val found = best.answers("ab cd", null, 1).answers
        assertEquals(listOf(0 to 2, 3 to 5), found.map { it.start to it.end })
        assertEquals(listOf(10f, 4f), found.map { it.score })
    }
}

package org.tfminilm

import java.lang.management.ManagementFactory
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class WordPieceTokenizerTest {
    private val words = listOf(
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##able", "##aff", "cafe", "!", "中", "a", "##a",
        "각", "½",
    )
    private val tokens = Tokens(1)

    private fun tokenizer(
        lowercase: Boolean = true,
        stripAccents: Boolean = true,
        rules: WordRules = WordRules.KERAS_HUB,
    ) = WordPieceTokenizer(words, 1, rules, lowercase, stripAccents)

    private val bert = tokenizer(rules = WordRules.BERT)

    private fun encode(text: String, tokenizer: WordPieceTokenizer = tokenizer()): List<String> {
        tokenizer.encode(text, tokens)
        return List(tokens.size) {
            words[tokens.ids[it]] + ":" + text.substring(tokens.starts[it], tokens.ends[it])
        }
    }

    @Test
    fun `cuts words into the longest pieces`() {
        assertEquals(listOf("un:Un", "##aff:aff", "##able:able"), encode(" Unaffable"))
        assertEquals(listOf("[UNK]:unknown"), encode("unknown"))
    }

    @Test
    fun `folds case and accents, and points into the text as it was`() {
        assertEquals(listOf("cafe:CAFÉ", "!:!"), encode("CAFÉ!"))
        assertEquals(listOf("cafe:cafe"), encode("cafe\u0301"))
    }

    @Test
    fun `Chinese and punctuation stand alone`() {
        assertEquals(listOf("a:a", "中:中", "a:a", "!:!", "!:!"), encode("a中a!!"))
    }

    @Test
    fun `special tokens in a text are text`() {
        assertEquals(List(3) { "[UNK]" }, encode("[SEP]").map { it.substringBefore(":") })
    }

    @Test
    fun `Korean strokes are put together`() {
        assertEquals(listOf("각:\u1100\u1161\u11a8"), encode("\u1100\u1161\u11a8"))
    }

    @Test
    fun `by BERT's rules Korean stays in strokes, and compatibility forms as they are`() {
        assertEquals(listOf("[UNK]:각"), encode("각", bert))
        assertEquals(listOf("un:Un", "##able:able"), encode("Unable", bert))
        assertEquals(listOf("[UNK]:Ｕn"), encode("Ｕn", bert))
        assertEquals(listOf("cafe:CAFÉ", "!:!"), encode("CAFÉ!", bert))
    }

    @Test
    fun `by BERT's rules control characters go, and any blank parts words`() {
        assertEquals(listOf("un:u\u0007\u0000n"), encode("u\u0007\u0000n", bert))
        assertEquals(listOf("a:a", "a:a"), encode("a\u00a0a", bert))
        assertEquals(listOf("a:a", "##a:a"), encode("\ud800aa", bert))
        assertEquals(emptyList<String>(), encode(" \u0000\u0007\u200b\ufffd", bert))
    }

    @Test
    fun `by BERT's rules a word of more than a hundred characters is unknown`() {
        assertEquals(100, encode("a".repeat(100), bert).size)
        assertEquals(1, encode("a".repeat(101), bert).size)
    }

    @Test
    fun `an unpaired surrogate is a character that nobody knows`() {
        assertEquals(listOf("[UNK]:\ud800a"), encode("\ud800a"))
        assertEquals(listOf("[UNK]:a\udc00"), encode("a\udc00"))
    }

    @Test
    fun `a word of more than a hundred bytes is unknown`() {
        assertEquals(100, encode("a".repeat(100)).size)
        assertEquals(1, encode("a".repeat(101)).size)
        val syllables = listOf(1, 34).map { "\u1100\u1161\u11a8".repeat(it) }
        assertEquals(listOf("각", "[UNK]"), syllables.map { encode(it).single().substringBefore(":") })
    }

    @Test
    fun `a word of ten million characters takes no memory`() {
        val text = "a".repeat(10_000_000)
        val tokenizer = tokenizer()
        tokenizer.encode("a", tokens)
        val threads = ManagementFactory.getThreadMXBean() as com.sun.management.ThreadMXBean
        val id = Thread.currentThread().id
        val before = threads.getThreadAllocatedBytes(id)
        tokenizer.encode(text, tokens)
        assertTrue(threads.getThreadAllocatedBytes(id) - before < 10_000)
        assertEquals(listOf(1, 0, text.length), listOf(tokens.ids[0], tokens.starts[0], tokens.ends[0]))
    }

    @Test
    fun `a cased tokenizer changes nothing`() {
        for (rules in WordRules.values()) {
            val cased = tokenizer(lowercase = false, stripAccents = false, rules)
            assertEquals(listOf("a:a", "[UNK]:A"), encode("a A", cased))
        }
    }

    @Test
    fun `stops at the limit`() {
        tokenizer().encode("a ".repeat(1_000_000), tokens, limit = 3)
        assertEquals(3, tokens.size)
    }

    @Test
    fun `empty, blank and binary text`() {
        assertEquals(emptyList<String>(), encode(""))
        assertEquals(emptyList<String>(), encode(" \u0000\u0007\u200b"))
        val binary = String(CharArray(70_000) { it.toChar() })
        tokenizer().encode(binary, tokens)
        assertTrue(tokens.size > 0)
    }
}

package org.tfminilm

import java.io.ByteArrayOutputStream
import java.io.DataOutputStream
import java.nio.ByteBuffer
import java.util.Random
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class SentencePieceTokenizerTest {
    private val tokens = Tokens(1)

    /** A field of a message, as Protocol Buffers write it. */
    private fun field(number: Int, fill: DataOutputStream.() -> Unit): ByteArray {
        val content = ByteArrayOutputStream().also { DataOutputStream(it).fill() }.toByteArray()
        return byteArrayOf((number * 8 + 2).toByte(), *size(content.size)) + content
    }

    private fun number(number: Int, value: Int) = size(number * 8) + size(value)

    private fun size(value: Int): ByteArray {
        if (value < 128) return byteArrayOf(value.toByte())
        return byteArrayOf((value and 127 or 128).toByte()) + size(value ushr 7)
    }

    private fun piece(text: String, score: Float, type: Int = 1) = field(1) {
        write(field(1) { write(text.toByteArray()) })
        writeByte(2 * 8 + 5)
        writeInt(Integer.reverseBytes(score.toRawBits()))
        write(number(3, type))
    }

    private val few = piece("<unk>", 0f, 2) + piece("<s>", 0f, 3) + piece("</s>", 0f, 3) +
        piece("\u2581", -3f) + piece("a", -4f) + piece("b", -4f) + piece("ab", -5f) +
        piece("\u2581a", -4.5f) + piece("bb", -20f) + piece("unused", 0f, 5)

    private fun tokenizer(model: ByteArray) =
        SentencePieceTokenizer(PieceModel(ByteBuffer.wrap(model)), 3, 1)

    /** Numbers of pieces with what they stand for. */
    private fun encode(text: String, model: ByteArray = few): String {
        tokenizer(model).encode(text, tokens)
        return List(tokens.size) {
            "${tokens.ids[it] - 1}:" + text.substring(tokens.starts[it], tokens.ends[it])
        }.joinToString("|")
    }

    private fun assertRefused(model: ByteArray, vararg words: String) {
        val error = assertThrows(BundleException::class.java) { PieceModel(ByteBuffer.wrap(model)) }
        for (word in words) assertTrue(error.message, word in error.message)
    }

    @Test
    fun `takes the likeliest pieces, not the longest`() {
        assertEquals("3:|6:ab", encode("ab"))
        assertEquals("3:|6:ab|5:b|5:b", encode("abbb"))
        assertEquals("5:b|7: a", encode("b a").substringAfter("|"))
    }

    @Test
    fun `joins what it does not know`() {
        assertEquals("7:a|2:xyz|4:a", encode("axyza"))
        assertEquals("3:|2:\ud83d\ude00\ud800", encode("\ud83d\ude00\ud800"))
        assertEquals("2:unused", encode("unused").substringAfter("|"))
    }

    @Test
    fun `spaces count once, and not at the ends`() {
        assertEquals("7:a|7:   a", encode("  a   a "))
        assertEquals("", encode("   "))
        assertEquals("", encode(""))
        assertEquals("7:a", encode("a \u2581 "))
    }

    @Test
    fun `other ways with spaces`() {
        val asTheyAre = few + field(3) { write(number(4, 0)) }
        assertEquals("3:|3: |7: a|3: ", encode("  a ", asTheyAre))
        val none = few + field(3) { write(number(3, 0)) }
        assertEquals("4:a|7: a", encode("a a", none))
        val last = few + field(2) { write(number(24, 1)) }
        assertEquals("4:a|7: a|3:", encode("a a", last))
        val plain = few + piece(" ", -1f) + field(3) { write(number(5, 0)) }
        assertEquals("10:|4:a|10: |4:a", encode("a a", plain))
    }

    @Test
    fun `symbols are not cut`() {
        val model = few + piece("bab", -90f, 4)
        assertEquals("3:|5:b|10:bab|4:a", encode("bbaba", model))
    }

    @Test
    fun `spells in bytes what it does not know`() {
        var model = few + field(2) { write(number(35, 1)) }
        for (byte in 0..255) model += piece("<0x%02X>".format(byte), 0f, 6)
        val start = 10
        val wanted = "\u00e9\u4e2d".toByteArray().map { start + (it.toInt() and 255) }
        assertEquals("3:|${wanted[0]}:|${wanted[1]}:\u00e9", encode("\u00e9", model))
        encode("\u00e9\u4e2d", model)
        assertEquals(wanted, tokens.ids.take(tokens.size).drop(1).map { it - 1 })
    }

    @Test
    fun `long runs take no longer`() {
        val tokenizer = tokenizer(few)
        for (text in listOf("\u2581", "x", "ab", " ", "\udc00").map { it.repeat(1_000_000) + "a" }) {
            tokenizer.encode(text, tokens)
            assertEquals(text.length, tokens.ends[tokens.size - 1])
        }
    }

    /** Pieces of one to sixteen dashes: each place of a run of them has a piece over it. */
    private val dashes = (1..16).fold(few) { all, size -> all + piece("-".repeat(size), -3f - size) }

    @Test
    fun `a limit bounds time and memory where pieces overlap`() {
        val tokenizer = tokenizer(dashes)
        val text = "-".repeat(10_000_000)
        val start = System.nanoTime()
        val bytes = allocated { tokenizer.encode(text, tokens, limit = 126) }
        val seconds = (System.nanoTime() - start) / 1e9
        assertEquals(126, tokens.size)
        assertTrue("$bytes bytes", bytes < 4_000_000)
        assertTrue("$seconds seconds", seconds < 1)
    }

    @Test
    fun `a run that nothing decides is cut, and all of it is read`() {
        val tokenizer = tokenizer(dashes)
        val text = "-".repeat(200_001) + "a"
        val bytes = allocated { tokenizer.encode(text, tokens) }
        // The tokens take 3 numbers each, and the arrays of them double.
        assertTrue("$bytes bytes", bytes < 4_000_000)
        for (at in 2 until tokens.size) assertEquals(tokens.ends[at - 1], tokens.starts[at])
        assertEquals(text.length, tokens.ends[tokens.size - 1])
        assertTrue("${tokens.size} tokens", tokens.size in 12_502..12_530)
    }

    @Test
    fun `refuses pieces and rules by which a short text takes long`() {
        assertRefused(few + piece("x".repeat(513), -1f), "piece 10 has 513 letters")
        assertRefused(few + piece("x", Float.NaN), "score of piece 10 is no number")
        // A trie of one node, and a replacement of 300 letters.
        val map = byteArrayOf(4, 0, 0, 0, 0, 0, 0, 0) + ByteArray(300) { 'a'.code.toByte() } + 0
        assertRefused(few + field(3) { write(field(2) { write(map) }) }, "character map")
    }

    @Test
    fun `refuses models of other kinds`() {
        assertRefused(few + field(2) { write(number(3, 2)) }, "BPE", "unigram")
        assertRefused(few + field(2) { write(number(3, 4)) }, "characters")
        assertRefused(few + piece("a", -1f), "\"a\" twice, as 4 and 10")
        assertRefused(piece("a", -1f), "no unknown piece")
        assertRefused(few + field(2) { write(number(35, 1)) }, "lacks bytes")
        assertRefused(few + field(3) { write(field(2) { write(ByteArray(9)) }) }, "character map")
        assertRefused(few + number(1, 1), "another type")
        assertRefused("[PAD]\n[UNK]\n".toByteArray(), "damaged")
    }

    @Test
    fun `survives damaged models`() {
        val whole = Golden.file("multilingual/sentencepiece.model").readBytes()
        val text = Golden.rows("pieces.jsonl").take(20).joinToString { it.getString("text") }
        val random = Random(0)
        var refused = 0
        repeat(200) {
            val damaged = if (it % 4 == 0) whole.copyOf(random.nextInt(whole.size)) else whole.copyOf()
            repeat(1 + it / 8) { damaged[random.nextInt(damaged.size)] = random.nextInt().toByte() }
            try {
                tokenizer(damaged).encode(text, tokens)
            } catch (_: BundleException) {
                refused++
            }
        }
        assertTrue("$refused of 200", refused > 50)
    }
}

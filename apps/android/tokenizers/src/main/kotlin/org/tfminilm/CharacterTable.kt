package org.tfminilm

import java.io.DataInputStream
import java.nio.ByteBuffer
import java.util.zip.GZIPInputStream

/**
 * What the tokenizer makes of each character, by the rules of the training's
 * tokenizer, whatever version of Unicode the device knows.
 *
 * `verify/characters.py` writes the files, and `verify/character_pages.py`
 * says what is in them.
 */
internal class CharacterTable private constructor(
    private val pages: CharArray,
    private val entries: IntArray,
    private val pool: IntArray,
    private val marks: IntArray,
    private val classes: IntArray,
) {
    /** The bits of [KIND], [JOINS] and, shifted by [SHIFT], the place in the pool. */
    fun entry(character: Int): Int =
        entries[(pages[character shr PAGE_BITS].code shl PAGE_BITS) + (character and PAGE_MASK)]

    /** Unicode's combining class of a character that [JOINS]. */
    fun combiningClass(character: Int): Int {
        val at = marks.binarySearch(character)
        return if (at < 0) 0 else classes[at]
    }

    /** How many characters of a word have the place of this one. */
    fun partCount(entry: Int): Int = pool[entry ushr SHIFT]

    /** How many characters it becomes. */
    fun size(entry: Int): Int = pool[(entry ushr SHIFT) + 1]

    /** One of those that it becomes. */
    fun character(entry: Int, index: Int): Int = pool[(entry ushr SHIFT) + 2 + index]

    companion object {
        const val WORD = 0
        const val SPACE = 1
        const val ALONE = 2
        const val DROPPED = 3
        const val KIND = 3
        const val JOINS = 4
        const val SHIFT = 3
        private const val PAGE_BITS = 8
        private const val PAGE_MASK = 255
        private const val PAGES = 0x110000 shr PAGE_BITS

        /** Read once, and shared by all tokenizers: half a megabyte each. */
        private val tables = HashMap<String, CharacterTable>()

        /** The table for a tokenizer with these settings. */
        fun load(rules: WordRules, lowercase: Boolean, stripAccents: Boolean): CharacterTable {
            val case = if (lowercase) "lowercase" else "cased"
            val accents = if (stripAccents) "stripped" else "accents"
            val name = "characters_${rules.id}_${case}_$accents.bin"
            return synchronized(tables) { tables.getOrPut(name) { read(name) } }
        }

        private fun read(name: String): CharacterTable {
            // Absolute: a class may be moved, its files are not.
            val stream = CharacterTable::class.java.getResourceAsStream("/org/tfminilm/$name")
                ?: throw BundleException("The app was built without $name", code = BundleException.Code.BROKEN_APP)
            return DataInputStream(GZIPInputStream(stream, BUFFER)).use { input ->
                val (pages, items, marks) = input.bytes(4 * 4).asIntBuffer().let { sizes ->
                    List(3) { sizes.get(it) }
                }
                CharacterTable(
                    CharArray(PAGES).also { input.bytes(2 * PAGES).asCharBuffer().get(it) },
                    input.ints(pages shl PAGE_BITS).also(::sum),
                    input.ints(items),
                    input.ints(marks),
                    input.ints(marks),
                )
            }
        }

        /** Makes numbers of their differences. */
        private fun sum(differences: IntArray) {
            for (at in 1 until differences.size) differences[at] += differences[at - 1]
        }

        private fun DataInputStream.ints(count: Int) =
            IntArray(count).also { bytes(4 * count).asIntBuffer().get(it) }

        private fun DataInputStream.bytes(count: Int): ByteBuffer =
            ByteBuffer.wrap(ByteArray(count).also(::readFully))

        private const val BUFFER = 1 shl 14
    }
}

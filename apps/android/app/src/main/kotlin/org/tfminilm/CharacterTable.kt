package org.tfminilm

import java.io.DataInputStream
import java.util.zip.GZIPInputStream

/**
 * What the tokenizer makes of each character, by the rules of the training's
 * tokenizer, whatever version of Unicode the device knows.
 *
 * `verify/characters.py` writes the files and describes them.
 */
internal class CharacterTable private constructor(
    private val pages: IntArray,
    private val entries: IntArray,
    private val pool: IntArray,
    private val classes: Map<Int, IntArray>,
) {
    /** The bits of [KIND], [JOINS] and, shifted by [SHIFT], the place in the pool. */
    fun entry(character: Int): Int =
        entries[pages[character shr PAGE_BITS] + (character and PAGE_MASK)]

    /** Unicode's combining class of a character that [JOINS]. */
    fun combiningClass(character: Int): Int = classes[character]?.get(0) ?: 0

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
        private const val CHARACTERS = 0x110000

        /** Reads the table for a tokenizer with these settings. */
        fun load(rules: WordRules, lowercase: Boolean, stripAccents: Boolean): CharacterTable {
            val name = "characters_${rules.id}.bin"
            val stream = CharacterTable::class.java.getResourceAsStream(name)
                ?: throw BundleException("The app was built without $name")
            return DataInputStream(GZIPInputStream(stream).buffered()).use {
                Builder(it, rules, lowercase, stripAccents).build()
            }
        }
    }

    private class Builder(
        private val input: DataInputStream,
        private val rules: WordRules,
        private val lowercase: Boolean,
        private val stripAccents: Boolean,
    ) {
        private val kinds = ByteArray(CHARACTERS)
        private val all = IntArray(CHARACTERS)
        private var pool = IntArray(1 shl 16)
        private var used = 1

        fun build(): CharacterTable {
            markRanges(SPACE)
            markRanges(ALONE)
            markRanges(DROPPED)
            markRanges(JOINS)
            val stripped = readMap()
            val folded = readMap()
            val classes = if (stripAccents) readMap() else emptyMap()
            for (character in 0 until CHARACTERS) {
                all[character] = kinds[character].toInt()
            }
            val changed = HashSet<Int>()
            if (stripAccents) {
                changed.addAll(stripped.keys)
                changed.addAll(HANGUL)
            }
            if (lowercase) changed.addAll(folded.keys)
            for (character in changed) {
                val parts = if (stripAccents) parts(character, stripped) else null
                all[character] = entryOf(character, parts ?: intArrayOf(character), folded)
            }
            return pack(classes)
        }

        private fun markRanges(mark: Int) {
            repeat(input.readInt()) {
                val first = input.readInt()
                val last = input.readInt()
                for (character in first..last) {
                    kinds[character] = (kinds[character].toInt() or mark).toByte()
                }
            }
        }

        private fun readMap(): Map<Int, IntArray> {
            val size = input.readInt()
            val map = HashMap<Int, IntArray>(size * 2)
            repeat(size) {
                val character = input.readInt()
                map[character] = IntArray(input.readInt()) { input.readInt() }
            }
            return map
        }

        private fun parts(character: Int, stripped: Map<Int, IntArray>): IntArray? {
            if (character !in HANGUL) return stripped[character]
            val index = character - HANGUL.first
            val last = 0x11A7 + index % 28
            val head = intArrayOf(0x1100 + index / 588, 0x1161 + index % 588 / 28)
            return if (last > 0x11A7) head + last else head
        }

        /** [parts] are of one kind: the file's writer would have to know otherwise. */
        private fun entryOf(character: Int, parts: IntArray, folded: Map<Int, IntArray>): Int {
            if (parts.isEmpty()) return DROPPED or (kinds[character].toInt() and JOINS)
            val kind = kinds[parts[0]].toInt() and KIND
            var result = parts
            if (lowercase) {
                val whole = if (rules == WordRules.KERAS_HUB) compose(parts) else parts
                result = whole.flatMap { part ->
                    (folded[part] ?: intArrayOf(part)).asIterable()
                }.toIntArray()
            }
            val joins = result.any { kinds[it].toInt() and JOINS != 0 }
            // By BERT's rules each has a place of its own.
            val places = if (rules == WordRules.BERT) result.size else parts.size
            return kind or (if (joins) JOINS else 0) or (add(places, result) shl SHIFT)
        }

        /** Folding composes again what stripping took apart. */
        private fun compose(parts: IntArray): IntArray {
            if (parts.size == 1) return parts
            val text = parts.joinToString("") { String(Character.toChars(it)) }
            return normalized(text)
        }

        private fun add(partCount: Int, result: IntArray): Int {
            while (used + result.size + 2 > pool.size) pool = pool.copyOf(pool.size * 2)
            val place = used
            pool[used++] = partCount
            pool[used++] = result.size
            result.copyInto(pool, used)
            used += result.size
            return place
        }

        /** Equal pages, such as those of Chinese, are stored once. */
        private fun pack(classes: Map<Int, IntArray>): CharacterTable {
            val pages = IntArray(CHARACTERS shr PAGE_BITS)
            val places = HashMap<List<Int>, Int>()
            for (page in pages.indices) {
                val first = page shl PAGE_BITS
                val content = all.copyOfRange(first, first + PAGE_MASK + 1).asList()
                pages[page] = places.getOrPut(content) { places.size shl PAGE_BITS }
            }
            val entries = IntArray(places.size shl PAGE_BITS)
            for ((content, place) in places) content.toIntArray().copyInto(entries, place)
            return CharacterTable(pages, entries, pool.copyOf(used), classes)
        }
    }
}

private val HANGUL = 0xAC00..0xD7A3

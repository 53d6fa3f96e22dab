package org.tfminilm

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * What a SentencePiece model replaces before it cuts a text: its
 * `precompiled_charsmap`.
 *
 * That is the size of a trie in bytes, the trie, and the replacements in UTF-8,
 * each with a 0 behind it. The trie is a double array of darts-clone over the
 * bytes of what is replaced; its values are places among the replacements.
 */
internal class CharacterRules(map: ByteBuffer) {
    private val units: IntArray

    /** Of the replacements: a character where its bytes start, 0 at an end. */
    private val characters: IntArray

    init {
        map.order(ByteOrder.LITTLE_ENDIAN)
        val bytes = if (map.remaining() < 4) 0 else map.getInt(0)
        if (bytes <= 0 || bytes % 4 != 0 || bytes > map.remaining() - 4) throw damaged()
        units = IntArray(bytes / 4) { map.getInt(4 + 4 * it) }
        map.position(4 + bytes)
        characters = IntArray(map.remaining() + 1) { INSIDE }
        characters[map.remaining()] = 0
        val text = Protobuf.utf8(map)
        var index = 0
        var place = 0
        while (index < text.length) {
            characters[place] = text.codePointAt(index)
            index += Character.charCount(characters[place])
            place += utf8Size(characters[place])
        }
        checkReplacements()
        for (node in units.indices) checkValue(node)
    }

    private fun checkReplacements() {
        var size = 0
        for (character in characters) {
            size = if (character == 0) 0 else size + 1
            if (size > MOST) throw damaged()
        }
    }

    private fun checkValue(node: Int) {
        if (units[node] < 0 || units[node] and HAS_VALUE == 0) return // A value itself, or none.
        val place = base(node)
        if (place >= units.size || value(node) >= characters.size) throw damaged()
        if (characters[value(node)] == INSIDE) throw damaged()
    }

    /**
     * The longest part of `text[at, end)` that starts at [at] and is replaced.
     *
     * @return where it ends, and in the lower 32 bits the place of its
     *     replacement; -1 if there is none.
     */
    fun longest(text: String, at: Int, end: Int): Long {
        var found = -1L
        var node = 0
        var to = at
        // A damaged trie may lead in a circle.
        val last = minOf(end, at + MOST)
        while (to < last) {
            val character = text.characterAt(to, end)
            to += Character.charCount(character)
            val size = utf8Size(character)
            for (index in 0 until size) {
                node = next(node, utf8Byte(character, index, size))
                if (node < 0) return found
            }
            if (units[node] and HAS_VALUE != 0) found = to.toLong() shl 32 or value(node).toLong()
        }
        return found
    }

    /** A replacement's character at a place, 0 behind the last. */
    fun character(place: Int): Int = characters[place]

    /** The node behind another by a byte, or -1. */
    private fun next(node: Int, byte: Int): Int {
        val place = base(node) xor byte
        // A 0 is the label of what is no node.
        return if (byte != 0 && place < units.size && units[place] and LABEL == byte) place else -1
    }

    private fun value(node: Int): Int = units[base(node)] and Int.MAX_VALUE

    /** Where a node's children are, by their bytes. */
    private fun base(node: Int): Int {
        val unit = units[node]
        return node xor (unit ushr 10 shl (unit and SHIFTS ushr 6))
    }

    private fun damaged() = Protobuf.damaged("its character map is none")

    private companion object {
        const val INSIDE = -1

        /** Of what is replaced, and of a replacement; Unicode's have at most 18. */
        const val MOST = 256

        // Of a unit of darts-clone's; values have the sign bit.
        const val LABEL = 0xFF or (1 shl 31)
        const val HAS_VALUE = 1 shl 8
        const val SHIFTS = 1 shl 9
    }
}

package org.tfminilm

/**
 * WordPiece's vocabulary as a prefix tree of code points.
 *
 * @param words in the order of their ids.
 * @param suffixIndicator what the pieces inside a word start with, "##".
 */
internal class Vocabulary(words: List<String>, suffixIndicator: String) {
    // Open addressing: (node, code point) -> node, in one array each.
    private var keys = LongArray(1 shl 16) { EMPTY }
    private var targets = IntArray(1 shl 16)
    private var ids = IntArray(1 shl 16) { NONE }
    private var nodeCount = 1

    /** Where a piece inside a word starts; a word starts at [ROOT]. */
    val inside: Int

    init {
        inside = insert(suffixIndicator)
        words.forEachIndexed { id, word ->
            val node = insert(word)
            if (ids[node] != NONE) {
                throw BundleException(
                    "The vocabulary has \"$word\" twice, as ${ids[node]} and $id; " +
                        "export the bundle again",
                )
            }
            ids[node] = id
        }
    }

    /** The node behind another by a code point, or [NONE]. */
    fun next(node: Int, character: Int): Int {
        val key = key(node, character)
        var slot = slot(key)
        while (keys[slot] != EMPTY) {
            if (keys[slot] == key) return targets[slot]
            slot = (slot + 1) and (keys.size - 1)
        }
        return NONE
    }

    /** The id of the piece that ends at a node, or [NONE]. */
    fun id(node: Int): Int = ids[node]

    private fun insert(word: String): Int {
        var node = ROOT
        var index = 0
        while (index < word.length) {
            val character = word.codePointAt(index)
            index += Character.charCount(character)
            val known = next(node, character)
            node = if (known != NONE) known else add(node, character)
        }
        return node
    }

    private fun add(node: Int, character: Int): Int {
        if (nodeCount * 2 > keys.size) grow()
        if (nodeCount == ids.size) {
            val old = ids.size
            ids = ids.copyOf(old * 2)
            ids.fill(NONE, old)
        }
        put(key(node, character), nodeCount)
        return nodeCount++
    }

    private fun put(key: Long, target: Int) {
        var slot = slot(key)
        while (keys[slot] != EMPTY) slot = (slot + 1) and (keys.size - 1)
        keys[slot] = key
        targets[slot] = target
    }

    private fun grow() {
        val oldKeys = keys
        val oldTargets = targets
        keys = LongArray(oldKeys.size * 2) { EMPTY }
        targets = IntArray(keys.size)
        for (slot in oldKeys.indices) {
            if (oldKeys[slot] != EMPTY) put(oldKeys[slot], oldTargets[slot])
        }
    }

    private fun key(node: Int, character: Int): Long = (node.toLong() shl 21) or character.toLong()

    private fun slot(key: Long): Int =
        ((key * -0x61c8864680b583ebL) ushr 40).toInt() and (keys.size - 1)

    companion object {
        const val ROOT = 0
        const val NONE = -1
        private const val EMPTY = -1L
    }
}

package org.tfminilm

/** Words with a number each, as a tree of code points. */
internal class PrefixTree {
    // Open addressing: (node, code point) -> node, in one array each.
    private var keys = LongArray(1 shl 10) { EMPTY }
    private var targets = IntArray(keys.size)
    private var values = IntArray(keys.size) { NONE }
    private var nodeCount = 1

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

    /** The number of the word that ends at a node, or [NONE]. */
    fun value(node: Int): Int = values[node]

    /** Gives the word that ends at a node a number of 0 or more. */
    fun set(node: Int, value: Int) {
        values[node] = value
    }

    /** The node of a word, which is made where there is none. */
    fun insert(word: String): Int {
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
        if (nodeCount == values.size) {
            val old = values.size
            values = values.copyOf(old * 2)
            values.fill(NONE, old)
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
